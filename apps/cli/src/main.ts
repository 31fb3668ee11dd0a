import { readFileSync } from 'node:fs';
import { SystemClock } from '#kernel/clock.js';
import type { CliWorld } from './cli.js';
import { readEnvironment } from './environment.js';
import { UsageError } from './exit-codes.js';
import { rawArguments } from './input/raw-arguments.js';
import type { Sink } from './output/output.js';
import { runCli } from './run-cli.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const world: CliWorld = {
  out: sink(process.stdout),
  err: sink(process.stderr),
  environment: readEnvironment(process.env),
  get workingFolder() {
    return workingFolder();
  },
  clock: new SystemClock(),
  onInterrupt(callback) {
    const off = () => SIGNALS.forEach((signal) => process.off(signal, once));
    const once = () => {
      off();
      callback();
    };
    SIGNALS.forEach((signal) => process.on(signal, once));
    return off;
  },
};

void main();

async function main(): Promise<never> {
  const exitCode = await runCli(argumentsOfProcess(), world);
  await Promise.all([world.out.flushed?.(), world.err.flushed?.()]);
  // Ends here even if a connection that is down still tries to come back.
  process.exit(exitCode);
}

function workingFolder(): string {
  try {
    return process.cwd();
  } catch {
    throw new UsageError('The folder that you work in is gone. Go to another one first.');
  }
}

function sink(stream: NodeJS.WriteStream): Sink {
  // Whoever reads our output may stop reading (`| head`): then there is nothing left to do.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 2);
  });
  return {
    write: (text) => void stream.write(text),
    flushed: () => new Promise((resolve) => void stream.write('', () => resolve())),
    isTerminal: stream.isTTY ?? false,
    get columns() {
      return stream.columns || 80;
    },
  };
}

function argumentsOfProcess(): string[] {
  const decoded = process.argv.slice(2);
  if (!decoded.some((argument) => argument.includes('\ufffd'))) return decoded;
  try {
    return rawArguments(decoded, readFileSync('/proc/self/cmdline'));
  } catch {
    // No such file on this system: the decoded arguments are all there is.
    return decoded;
  }
}
