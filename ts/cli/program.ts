/**
 * The whole command line. What a subcommand needs beyond its options is loaded when it runs, so that help and
 * version come at once.
 * @hidden
 * @module
 */
import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { dedupCommand } from './dedup.js'
import { doctorCommand } from './doctor.js'
import { embedCommand } from './embed.js'
import { EXIT_STATUS, exitStatus, explain } from './failures.js'
import { mixCommand } from './mix.js'
import { ngramsCommand } from './ngrams.js'
import { recipesCommand } from './recipes.js'
import { scoreCommand } from './score.js'
import { selectCommand } from './select.js'
import { tolerateClosedOutput } from './terminal.js'
import { weightsCommand } from './weights.js'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

const EXIT_NOTES = `
Exit status:
${EXIT_STATUS.map(([status, meaning]) => `  ${String(status).padEnd(5)}${meaning}`).join('\n')}

Results go to stdout, progress and messages to stderr. TAMIS_DEBUG=1 adds stack traces, NO_COLOR=1 removes colours.`

/** The commands, as they would be parsed from `words`. */
export function buildProgram(words: readonly string[]): Command {
  const program = new Command('tamis')
    .description('Choose what to keep: training data from files, by published methods.')
    .version(version, '-v, --version', 'print the version')
    .addHelpText('after', EXIT_NOTES)
  program.addCommand(selectCommand(words))
  program.addCommand(dedupCommand(words))
  program.addCommand(embedCommand(words))
  program.addCommand(scoreCommand(words))
  program.addCommand(weightsCommand(words))
  program.addCommand(mixCommand(words))
  program.addCommand(ngramsCommand())
  program.addCommand(recipesCommand())
  program.addCommand(doctorCommand())
  for (const command of allCommands(program)) {
    command
      .exitOverride()
      .showSuggestionAfterError(true)
      .configureHelp({ sortSubcommands: false, helpWidth: Math.min(process.stdout.columns ?? 110, 110) })
      .configureOutput({ outputError: (text, write) => write(oneLine(text, command)) })
  }
  return program
}

/** A command and all below it. */
export function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)]
}

function oneLine(text: string, command: Command): string {
  const names: string[] = []
  for (let one: Command | null = command; one; one = one.parent) names.unshift(one.name())
  const message = text
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ')
  return `tamis: ${message} (see \`${names.join(' ')} --help\`)\n`
}

/** Runs a command line; the process's exit status says how it went. */
export async function run(words: readonly string[]): Promise<void> {
  tolerateClosedOutput()
  const program = buildProgram(words)
  try {
    if (words.length === 0) program.help({ error: true })
    await program.parseAsync(words, { from: 'user' })
  } catch (error) {
    const help = error instanceof CommanderError && error.code === 'commander.help'
    process.exitCode = help ? 2 : exitStatus(error)
    if (process.exitCode !== 0 && !help) explain(error, words.includes('--json'))
  }
}
