/**
 * The rule of the house for ts/, checked by machine: a room is a folder of ts/, and others reach into it through its
 * index alone.
 */

/** Files inside a room that other rooms may import all the same. */
const SHARED = ['^ts/report/data\\.ts$']
const ROOM = '^ts/([^/]+)/'

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'rooms-through-their-index',
      comment: "A room's files import another room's index, not its insides.",
      severity: 'error',
      from: { path: ROOM },
      to: { path: ROOM, pathNot: ['^ts/$1/', '^ts/[^/]+/index\\.ts$', ...SHARED] },
    },
    {
      name: 'top-through-index',
      comment: 'So do the files beside the rooms.',
      severity: 'error',
      from: { path: '^ts/[^/]+$' },
      to: { path: ROOM, pathNot: ['^ts/[^/]+/index\\.ts$', ...SHARED] },
    },
    {
      name: 'native-from-faces',
      comment:
        'The addon is called by the rooms that offer it; the command (but doctor, which examines it) uses those.',
      severity: 'error',
      from: { path: ['^ts/cli/', '^ts/report/'], pathNot: '^ts/cli/doctor\\.ts$' },
      to: { path: '^ts/native' },
    },
    {
      name: 'nothing-imports-the-command',
      severity: 'error',
      from: { pathNot: '^ts/cli/' },
      to: { path: '^ts/cli/' },
    },
    {
      name: 'report-shows-data',
      comment: 'The report draws what it is given: it knows no recipe and no kernel.',
      severity: 'error',
      from: { path: '^ts/report/' },
      to: { path: ROOM, pathNot: '^ts/report/' },
    },
    {
      name: 'rooms-do-not-draw',
      comment: 'Only the command makes a page, or who asks for one; recipes give its data.',
      severity: 'error',
      from: { pathNot: ['^ts/report/', '^ts/cli/', '^ts/index\\.ts$'] },
      to: { path: '^ts/report/', pathNot: SHARED },
    },
    {
      name: 'shared-knows-no-room',
      comment: 'What every room shares depends on none of them; the index and the table of recipes gather.',
      severity: 'error',
      from: { path: '^ts/[^/]+$', pathNot: '^ts/index\\.ts$' },
      to: { path: ROOM, pathNot: SHARED },
    },
    {
      name: 'no-cycles',
      comment: 'native-*.ts are types alone, and their cycles with native.ts are of types.',
      severity: 'error',
      from: { pathNot: '^ts/native[a-z-]*\\.ts$' },
      to: { circular: true },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'declared-dependencies',
      comment:
        'What ts/ imports is installed with it; what is bundled instead is imported by the bundled module alone.',
      severity: 'error',
      from: { path: '^ts/', pathNot: '^ts/report/plot\\.ts$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-orphans',
      comment: 'Code that nothing reaches is dead.',
      severity: 'error',
      from: { orphan: true, pathNot: '\\.d\\.ts$' },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    parser: 'swc',
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  },
}
