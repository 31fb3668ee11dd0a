import { mkdirSync } from 'node:fs';

import { lastLines, runCommand } from '../../apps/standalone/src/servers/system/command.js';

/** What an exhaustive search of one compilation of the model found. */
export interface Finding {
  /** The property that does not hold, `live` for the one of liveness; `undefined` where all hold. */
  readonly broken: string | undefined;
  readonly states: number;
  readonly seconds: number;
  /** Each statement of the model, and whether the search came by it. */
  readonly statements: ReadonlyMap<string, boolean>;
}

export interface CheckRequest {
  readonly model: string;
  readonly flags: readonly string[];
  /** A new folder for what the checker writes. */
  readonly folder: string;
  /** Worth its time for a large search; a mutant fails before it would pay. */
  readonly optimize: boolean;
}

/** Longer than this only a hang takes. */
const STEP_MS_MAX = 600_000;
/** The search's stack, in steps. The longest way now is 13,000. */
const DEPTH_MAX = 200_000;
const MEMORY_MIB_MAX = 3_000;
const TRACE_LINES_MAX = 60;

/** The commands that a check needs and this machine lacks. */
export async function missingCommands(): Promise<string[]> {
  const present = await Promise.all([
    runCommand('spin', ['-V']),
    // A compiler without the C library's headers is of no use.
    runCommand('gcc', ['-E', '-include', 'stdio.h', '-x', 'c', '/dev/null']),
  ]);
  return ['spin', 'gcc'].filter((_, i) => present[i]?.code !== 0);
}

/**
 * Compiles the model with `flags` and searches all of its states. Safety and liveness (wherever
 * faults are counted; under weak fairness) are searched in different ways.
 *
 * @throws Error where the search did not come to an end, with what the checker said.
 */
export async function check(request: CheckRequest): Promise<Finding> {
  const { folder, optimize } = request;
  mkdirSync(folder, { recursive: true });
  const liveness = isLiveness(request.flags);
  const kind = liveness ? ['-DNFAIR=10'] : ['-DSAFETY', '-DNOFAIR', '-DNOCLAIM'];
  const limits = [`-DMEMLIM=${MEMORY_MIB_MAX}`, '-w', '-DNOREDUCE', optimize ? '-O1' : '-O0'];
  await run(folder, 'spin', [...spinFlags(request), '-a', request.model]);
  await run(folder, 'gcc', [...limits, ...kind, '-o', 'pan', 'pan.c']);

  const began = process.hrtime.bigint();
  // -E: a state in which nothing more can happen is no error. -b: a search cut short is one.
  const search = [`-m${DEPTH_MAX}`, '-E', '-b', ...(liveness ? ['-a', '-f'] : [])];
  const said = await run(folder, './pan', search);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const table = await run(folder, './pan', ['-d']);
  return { ...resultOf(said), seconds, statements: statementsOf(table, said) };
}

/** The last steps on the way to where a check went wrong. */
export async function trace(request: CheckRequest): Promise<string> {
  const flags = [...spinFlags(request), '-t', '-p', '-g', '-w'];
  return lastLines(await run(request.folder, 'spin', [...flags, request.model]), TRACE_LINES_MAX);
}

function isLiveness(flags: readonly string[]): boolean {
  return flags.some((flag) => flag.startsWith('FAULTS='));
}

/** `-o3`: statements are not merged, so that each is counted by itself. */
function spinFlags({ flags }: CheckRequest): string[] {
  return ['-o3', ...flags.map((flag) => `-D${flag}`)];
}

async function run(folder: string, command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand(command, args, {
    cwd: folder,
    timeoutMs: STEP_MS_MAX,
  });
  if (code !== 0) {
    const said = lastLines(`${stdout}\n${stderr}`);
    throw new Error(`${[command, ...args].join(' ')} ended with ${code}: ${said}`);
  }
  return stdout;
}

function resultOf(said: string): Pick<Finding, 'broken' | 'states'> {
  const errors = /errors: (\d+)/.exec(said)?.[1];
  const states = Number(/(\d+) states, stored/.exec(said)?.[1]);
  const broken =
    /assertion violated (\w+) /.exec(said)?.[1] ?? (/acceptance cycle/.test(said) && 'live');
  if (errors === '0' && !/not completed/.test(said)) return { broken: undefined, states };
  if (errors === undefined || errors === '0' || !broken) {
    throw new Error(`The search did not come to an end: ${lastLines(said, 60)}`);
  }
  return { broken, states };
}

/**
 * `table` is what `pan -d` prints, a line for each step; `said` names what was not reached. A
 * statement is named by its process, line and text, such as `Writing:10 journal[f] = SEALED`.
 */
function statementsOf(table: string, said: string): Map<string, boolean> {
  const unreached = new Set(
    linesOf(said, /, state (\d+), /).map(({ process, found: [state] }) => `${process} ${state}`),
  );
  const statements = new Map<string, boolean>();
  for (const { process, found } of linesOf(table, /^\tstate\s+(\d+) -.*:(\d+) => (.*)$/)) {
    const [state, line, text] = found;
    const name = `${process}:${line} ${text}`;
    const reached = !unreached.has(`${process} ${state}`);
    statements.set(name, reached || (statements.get(name) ?? false));
  }
  return statements;
}

/** What `pattern` finds in each line, with the process under whose heading the line stands. */
function linesOf(text: string, pattern: RegExp): { process: string; found: string[] }[] {
  let process = '';
  return text.split('\n').flatMap((line) => {
    process = /^(?:unreached in )?(?:proctype |claim )?(\w+)$/.exec(line)?.[1] ?? process;
    const found = pattern.exec(line)?.slice(1);
    return found ? [{ process, found }] : [];
  });
}
