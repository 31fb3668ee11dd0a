import { spawn } from 'node:child_process';

import { withDeathSignal } from './death-signal.js';

export interface CommandOptions {
  /** Who runs it; only root may name another user. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  readonly env?: NodeJS.ProcessEnv;
  /** The working folder. Default `/`, which every user can enter. */
  readonly cwd?: string;
  /** Written to its standard input, which is then closed. */
  readonly input?: string;
  /** After this the command is killed and counts as failed. */
  readonly timeoutMs?: number;
}

export interface CommandResult {
  /** The exit code; 127 where it could not be started, 128 where a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const TIMEOUT_DEFAULT_MS = 60_000;

/**
 * Runs a command to its end, or to ours; never throws: whoever calls knows what a failure means.
 */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(...withDeathSignal('SIGKILL', command, args), {
      cwd: options.cwd ?? '/',
      env: options.env ?? process.env,
      timeout: options.timeoutMs ?? TIMEOUT_DEFAULT_MS,
      killSignal: 'SIGKILL',
      stdio: 'pipe',
      ...(options.user ? { uid: options.user.uid, gid: options.user.gid } : {}),
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => stderr.push(bytes));
    child.on('error', (error) => resolve({ code: 127, stdout: '', stderr: error.message }));
    child.on('close', (code) => {
      const text = (parts: Buffer[]): string => Buffer.concat(parts).toString('utf8');
      resolve({ code: code ?? 128, stdout: text(stdout), stderr: text(stderr) });
    });
    // A command that ends before it has read its input is judged by its exit code alone.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** The last lines of what a command or server said, for an error message. */
export function lastLines(text: string, count = 8): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
