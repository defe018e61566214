/**
 * `tamis weights compare`: the table of what compression cost each model.
 * @hidden
 * @module
 */
import { readFile } from 'node:fs/promises'
import { Command, Option } from 'commander'
import { TamisError } from '../errors.js'
import type { ComparedModel, ScoredTask } from '../weights/index.js'
import { parseAmount } from './numbers.js'
import { alignColumns, print } from './terminal.js'

interface ScoreFile {
  dense: Record<string, number>
  models: { name: string; scores: Record<string, number> }[]
  tasks: ScoredTask[]
}

/** The command. */
export function compareCommand(): Command {
  const command = new Command('compare')
    .description(
      'Compare compressed models with the dense one (LLM-KICK): what each lost of every score, and which losses perplexity hides.',
    )
    .argument(
      '<scores>',
      'a JSON file: {"dense": {task: score}, "models": [{"name", "scores"}], "tasks": [{"name", "higherIsBetter"}]}',
    )
  command.addOption(
    new Option('--tolerance <percent>', 'a drop that still counts as a match (default: 5)').argParser(
      parseAmount,
    ),
  )
  command.addOption(new Option('--json', 'print the rows as JSON'))
  command.addHelpText(
    'after',
    `
Examples:
  tamis weights compare scores.json
  tamis weights compare scores.json --tolerance 2 --json`,
  )
  return command.action(async (path: string, { tolerance, json }: { tolerance?: number; json?: boolean }) => {
    const { compareCompressed } = await import('../weights/index.js')
    const { dense, models, tasks } = await readScores(path)
    const rows = compareCompressed(dense, models, { tasks, tolerance })
    if (json) print(JSON.stringify(rows))
    else for (const line of table(rows, tasks)) print(line)
  })
}

async function readScores(path: string): Promise<ScoreFile> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new TamisError('ERR_TAMIS_IO', `${path} cannot be read: ${(error as Error).message}`, {
      cause: error,
    })
  }
  try {
    const scores: unknown = JSON.parse(text)
    if (typeof scores === 'object' && scores !== null) return scores as ScoreFile
  } catch (error) {
    throw new TamisError('ERR_TAMIS_FORMAT', `${path} is no JSON: ${(error as Error).message}`, {
      cause: error,
    })
  }
  throw new TamisError('ERR_TAMIS_FORMAT', `${path} must hold an object with dense, models and tasks`)
}

/** A line a model: the drop of each task, marked where it is no match, and what perplexity hides. */
function table(rows: readonly ComparedModel[], tasks: readonly ScoredTask[]): string[] {
  const head = ['model', ...tasks.map(({ name }) => name), 'hidden by perplexity']
  const cell = ({ drop, matching }: ComparedModel, task: string) => {
    const percent = `${(drop[task] as number).toFixed(1)} %`
    return matching[task] ? percent : `${percent} !`
  }
  const lines = rows.map((row) => [
    row.name,
    ...tasks.map(({ name }) => cell(row, name)),
    row.hidden.join(', ') || '-',
  ])
  return alignColumns([head, ...lines])
}
