import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

import { PermanentError } from '#kernel/errors.js';

/** Runs the real command line, as a user would. */
export class HoldfastCommands {
  private running: ChildProcess | undefined;

  constructor(
    private readonly program: string,
    private readonly env: NodeJS.ProcessEnv,
    private readonly signal: AbortSignal,
  ) {
    signal.addEventListener('abort', () => this.running?.kill('SIGTERM'), { once: true });
  }

  /** Shows the command and what it prints, up to `linesMax` lines. */
  async show(args: readonly string[], linesMax = 20): Promise<void> {
    printCommand(args);
    let count = 0;
    await this.run(args, (line) => {
      count += 1;
      if (count <= linesMax) console.log(`  ${line}`);
    });
    if (count > linesMax) console.log(`  ... and ${count - linesMax} more lines`);
  }

  /** Runs the command with `--json` and hands over each line's value. Shows only the command. */
  async read(args: readonly string[], heard: (value: unknown) => void): Promise<void> {
    printCommand(args);
    await this.run([...args, '--json'], (line) => heard(JSON.parse(line)));
  }

  /** Exit codes 0 and 1 are results (partial success is one); others throw with what it said. */
  private async run(args: readonly string[], onLine: (line: string) => void): Promise<void> {
    this.signal.throwIfAborted();
    const child = spawn(process.execPath, [this.program, ...args], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.running = child;
    const said: string[] = [];
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    createInterface(child.stderr).on('line', (line) => said.push(line));
    const lines = createInterface(child.stdout);
    const read = new Promise((resolve) => lines.once('close', resolve));
    lines.on('line', (line) => {
      if (line.startsWith('{"error"')) said.push(line);
      else onLine(line);
    });
    const [code] = await Promise.all([ended, read]);
    this.running = undefined;
    this.signal.throwIfAborted();
    if (code !== 0 && code !== 1) {
      const words = said.join('\n') || 'it said nothing';
      throw new PermanentError(2, `holdfast ${args[0]} ended with ${code}: ${words}`);
    }
  }
}

/** The command as one would type it. */
export function printCommand(args: readonly string[]): void {
  const words = args.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg}'`));
  console.log(`\n$ holdfast ${words.join(' ')}`);
}
