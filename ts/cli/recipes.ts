/**
 * `tamis recipes`: the papers, and which of them are there.
 * @hidden
 * @module
 */
import { Command } from 'commander'
import { alignColumns, bold, print } from './terminal.js'

/** The command. */
export function recipesCommand(): Command {
  return new Command('recipes')
    .description('List the papers whose methods tamis brings, and those that are to come.')
    .option('--json', 'print a JSON list with functions and operations')
    .action(list)
}

async function list({ json }: { json?: boolean }): Promise<void> {
  const { recipes } = await import('../recipes.js')
  if (json) {
    print(JSON.stringify(recipes, null, 2))
    return
  }
  const done = recipes.filter((recipe) => recipe.state === 'done')
  const rows = recipes.map(({ short, state, room, year, title }) => [short, state, room, String(year), title])
  for (const line of alignColumns([['name', 'state', 'room', 'year', 'title'], ...rows])) print(line)
  print('')
  print(bold(`${done.length} of ${recipes.length} done`))
  for (const { short, functions } of done) print(`${short}: ${functions.join(', ')}`)
}
