import type { Command } from 'commander';
import type { Cli } from '../../cli.js';
import { status } from './status.js';

export function define(command: Command, cli: () => Cli): void {
  command
    .command('status')
    .description('every process with its host, version and uptime, and what is wrong')
    .action(() => status(cli()));
}
