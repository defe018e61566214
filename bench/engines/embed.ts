/**
 * Texts embedded by all-MiniLM-L6-v2 in tamis.
 *
 * `tsx embed.ts FOLDER TEXTS.jsonl THREADS REPETITIONS`
 *
 * Prints the seconds of each repetition, the number of texts and of their tokens.
 */
import { readFileSync } from 'node:fs'
import { models, setThreads } from 'tamis'

const [folder, path, threads, repetitions] = process.argv.slice(2) as [string, string, string, string]
setThreads(Number(threads))
const embedder = await models.TextEmbedder.load(folder)
const texts = readFileSync(path, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line).text as string)
const tokens = (await embedder.encode(texts)).reduce((sum, list) => sum + list.length, 0)
const seconds: number[] = []
for (let i = 0; i < Number(repetitions); i++) {
  const started = performance.now()
  await embedder.embed(texts)
  seconds.push((performance.now() - started) / 1000)
}
console.log(JSON.stringify({ seconds, texts: texts.length, tokens }))
