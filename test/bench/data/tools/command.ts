import { spawnSync } from 'node:child_process';
import { lastLines, runCommand } from '../../../../apps/standalone/src/servers/system/command.js';

/** Longer than anything here takes. */
const COMMAND_MS_MAX = 3_600_000;

export interface CommandPlace {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** Runs a command to its end; what it said. Throws where it fails. */
export async function command(
  [program, ...args]: readonly [string, ...string[]],
  place: CommandPlace = {},
): Promise<string> {
  const { code, stdout, stderr } = await runCommand(program, args, {
    ...place,
    env: { ...process.env, ...place.env },
    timeoutMs: COMMAND_MS_MAX,
  });
  if (code === 0) return stdout;
  throw new Error(`${[program, ...args].join(' ')} gave ${code}:\n${lastLines(stderr || stdout)}`);
}

export function hasCommands(...names: readonly string[]): boolean {
  const look = names.map((name) => `command -v ${name}`).join(' && ');
  return spawnSync('sh', ['-c', look]).status === 0;
}
