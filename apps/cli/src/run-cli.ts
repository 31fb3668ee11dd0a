import { CommanderError } from 'commander';
import type { Cli, CliWorld } from './cli.js';
import { EXIT, exitCodeOfError, UsageError } from './exit-codes.js';
import { printable } from './output/printable.js';
import { buildProgram } from './program.js';

/**
 * Runs one command line (without `node` and the script) and returns the exit code. Never throws:
 * what goes wrong is reported on standard error in a line or two, or as JSON on standard output.
 */
export async function runCli(args: readonly string[], world: CliWorld): Promise<number> {
  const { program, cli } = buildProgram(world);
  try {
    await program.parseAsync(asOption(args), { from: 'user' });
    return cli().exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    // Help was shown because the command was missing.
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage;
    return report(translated(error), { cli: cli(), json: args.includes('--json') });
  }
}

/** `help jobs show` as `jobs show --help`, which loads what it is asked about. */
function asOption(args: readonly string[]): string[] {
  return args[0] === 'help' ? [...args.slice(1), '--help'] : [...args];
}

const TOO_MANY = /^too many arguments for '(.*)'\. Expected (\d+).*$/;

function translated(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  const message = error.message.replace(/^error: /, '').replace(/\.$/, '');
  const [, command, expected] = TOO_MANY.exec(message) ?? [];
  if (command === undefined) return new UsageError(`${message}. See: holdfast help`);
  const what = expected === '0' ? 'no such argument or subcommand' : `no more than ${expected}`;
  return new UsageError(`"${command}" takes ${what}. See: holdfast help ${command}`);
}

async function report(error: unknown, { cli, json }: { cli: Cli; json: boolean }): Promise<number> {
  const { toErrorBody } = await import('#messaging/wire-error.js');
  const { isBug, messageOfFailure } = await import('./failure.js');
  const { debug } = cli.world.environment;
  if (json) {
    const { error: body } = toErrorBody(error);
    const message = isBug(error) ? messageOfFailure(error) : body.message;
    cli.output.document({ error: { ...body, message } });
  } else {
    cli.world.err.write(`${messageOfFailure(error).split('\n').map(printable).join('\n')}\n`);
  }
  if (debug && error instanceof Error) cli.world.err.write(`${error.stack}\n`);
  return exitCodeOfError(error);
}
