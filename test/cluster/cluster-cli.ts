import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { jobView, type JobView, type LogLine } from '#contracts/job.js';
import { imageView, type FileView, type ImageView } from '#contracts/image.js';
import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';
import { withDeathSignal } from '../../apps/standalone/src/servers/system/death-signal.js';
import { until } from '../support/until.js';

export interface CliPlace {
  readonly dataFolder: string;
  readonly workingFolder: string;
}

/** What a command said, and how it ended. */
export interface CliResult {
  /** `undefined` where a signal ended it. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** The JSON document that it printed with `--json`; of several lines, the last one. */
  readonly json: unknown;
}

export interface RunningCli {
  readonly pid: number;
  /** The JSON lines so far. */
  records(): unknown[];
  signal(signal: NodeJS.Signals): void;
  /** Resolves when it has ended; kills it after 30 s. */
  end(): Promise<CliResult>;
}

/** A command may wait for a long job; longer than this it hangs. */
const COMMAND_MS_MAX = 600_000;

/** Starts `holdfast ARGS`. */
export function startCli(args: readonly string[], place: CliPlace): RunningCli {
  const bin = join(checkoutFolder(), 'bin/holdfast');
  const child = spawn(...withDeathSignal('SIGKILL', process.execPath, [bin, ...args]), {
    cwd: place.workingFolder,
    env: { ...process.env, HOLDFAST_DATA: place.dataFolder },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: COMMAND_MS_MAX,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  let exitCode: number | undefined | null = null;
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.once('close', (code) => (exitCode = code ?? undefined));
  return {
    pid: child.pid!,
    records: () => linesOf(stdout.slice(0, stdout.lastIndexOf('\n') + 1)),
    signal: (signal) => void child.kill(signal),
    async end() {
      const what = `holdfast ${args.join(' ')} to end`;
      await until(() => exitCode !== null, { what, ms: COMMAND_MS_MAX + 5_000 });
      return { exitCode: exitCode ?? undefined, stdout, stderr, json: documentOf(stdout) };
    },
  };
}

/** The JSON lines that a command printed. */
export function recordsOf({ stdout }: CliResult): unknown[] {
  return linesOf(stdout);
}

/** The job that a waiting `backup`, `restore` or `jobs` command told of last. */
export function jobOf(result: CliResult): JobView {
  return jobView.parse(fieldOf(result, 'job'));
}

/** Warnings and errors of the job that a command waited for. */
export function notesOf(result: CliResult): string[] {
  return (fieldOf(result, 'notes') as LogLine[]).map(({ text }) => text);
}

/** The texts of the log that `jobs show` printed. */
export function logOf(result: CliResult): string[] {
  return (fieldOf(result, 'log') as LogLine[]).map(({ text }) => text);
}

export function imagesOf(result: CliResult): ImageView[] {
  return imageView.array().parse(fieldOf(result, 'images'));
}

export function filesOf(result: CliResult): FileView[] {
  return fieldOf(result, 'files') as FileView[];
}

/** What a command that failed says of the reason. */
export function errorOf(result: CliResult): { status: number; message: string; field?: string } {
  return fieldOf(result, 'error') as { status: number; message: string; field?: string };
}

function fieldOf(result: CliResult, name: string): unknown {
  const document = result.json as Record<string, unknown> | undefined;
  if (document?.[name] === undefined) {
    const { exitCode, stdout, stderr } = result;
    throw new Error(`No "${name}" in the answer (exit code ${exitCode}): ${stdout}${stderr}`);
  }
  return document[name];
}

function documentOf(stdout: string): unknown {
  try {
    return JSON.parse(stdout);
  } catch {
    return linesOf(stdout).at(-1); // one document a line, or no JSON at all
  }
}

function linesOf(text: string): unknown[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as unknown);
}
