import { spawn, type ChildProcess } from 'node:child_process';

import { codeOf, messageOf } from '#kernel/errors.js';

import { HookOutput } from '../domain/hook-output.js';
import type { HookEnd } from '../domain/hook-verdict.js';
import { endGroup } from './process-group.js';

export interface HookRun {
  /** Absolute; run as it is, without a shell and without arguments. */
  readonly path: string;
  readonly timeoutSeconds: number;
  /** All that it gets to know. */
  readonly environment: Readonly<Record<string, string>>;
  /** Stops it before its time. */
  readonly signal?: AbortSignal | undefined;
  readonly onStarted?: ((pid: number) => void) | undefined;
  /** Lines of its output, as far as they are shown. */
  readonly onLine: (line: string) => void;
  readonly killAfterMs?: number | undefined;
}

/** What something that it left running in the background still prints is not waited for any longer. */
const LATE_OUTPUT_MS = 500;

/**
 * Runs a hook to its end, which comes: at its time-out, or when `signal` fires, its whole process group is ended, as
 * far as this process may do that. Never throws.
 */
export async function runHook(run: HookRun): Promise<HookEnd> {
  if (run.signal?.aborted) return { type: 'stopped' };
  let child: ChildProcess;
  try {
    child = spawn(run.path, [], {
      ...{ cwd: '/', env: { ...run.environment }, detached: true, shell: false },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    return { type: 'not started', why: reasonOf(error) };
  }
  const output = new HookOutput();
  const closed = listen(child, (chunk) => output.push(chunk).forEach(run.onLine));
  const end = await endOf(child, run);
  await within(closed, LATE_OUTPUT_MS);
  child.stdout?.destroy();
  child.stderr?.destroy();
  output.end().forEach(run.onLine);
  return end;
}

async function endOf(child: ChildProcess, run: HookRun): Promise<HookEnd> {
  let over: (end: HookEnd) => void = () => undefined;
  const ended = new Promise<HookEnd>((resolve) => {
    over = resolve;
    child.once('error', (error) => resolve({ type: 'not started', why: reasonOf(error) }));
    child.once('exit', (code, signal) =>
      resolve(
        code === null ? { type: 'killed', signal: signal ?? 'a signal' } : { type: 'exited', code },
      ),
    );
  });
  const { pid } = child;
  if (pid === undefined) return ended;
  run.onStarted?.(pid);
  let cutShort: HookEnd | undefined;
  let ending: Promise<void> | undefined;
  const cut = (why: HookEnd): void => {
    cutShort ??= why;
    // It may not have ended by that: then it is not waited for.
    ending ??= endGroup(pid, run.killAfterMs).then(() => over(why));
  };
  const late: HookEnd = { type: 'timed out', afterSeconds: run.timeoutSeconds };
  const timer = setTimeout(() => cut(late), run.timeoutSeconds * 1_000);
  const stop = (): void => cut({ type: 'stopped' });
  run.signal?.addEventListener('abort', stop, { once: true });
  try {
    const end = await ended;
    await ending;
    return cutShort ?? end;
  } finally {
    clearTimeout(timer);
    run.signal?.removeEventListener('abort', stop);
  }
}

function listen(child: ChildProcess, onChunk: (chunk: Buffer) => void): Promise<unknown> {
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
  for (const stream of streams) stream.on('data', onChunk);
  return Promise.all(
    streams.map((stream) => new Promise((resolve) => stream.once('close', resolve))),
  );
}

function within(promise: Promise<unknown>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void promise.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function reasonOf(error: unknown): string {
  // The file itself was there a moment ago.
  if (codeOf(error) === 'ENOENT') return 'the program is not there that its first line names.';
  return messageOf(error);
}
