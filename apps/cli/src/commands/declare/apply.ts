import type { Command } from 'commander';
import { PermanentError } from '#kernel/errors.js';
import { toErrorBody } from '#messaging/wire-error.js';
import type { Cli } from '../../cli.js';
import type { Cluster } from '../../cluster/cluster.js';
import { exitCodeOfError } from '../../exit-codes.js';
import { messageOfFailure } from '../../failure.js';
import { collect } from '../../input/numbers.js';
import { differenceText } from '../../kinds/differences.js';
import { readManifests } from '../../kinds/manifest-files.js';
import { planOf, type Change } from '../../kinds/plan.js';
import { warningsOf, type Warning } from '../../kinds/warnings.js';
import type { Output } from '../../output/output.js';
import { printable } from '../../output/printable.js';

interface ApplyOptions {
  readonly file: readonly string[];
  readonly dryRun?: boolean;
}

interface Failure {
  readonly change: Change;
  readonly error: unknown;
}

const ACTIONS = ['created', 'changed', 'unchanged'] as const;

export function define(command: Command, cli: () => Cli): void {
  command
    .requiredOption(
      '-f, --file <file>',
      'YAML or JSON, or a folder; - reads standard input',
      collect,
    )
    .option('--dry-run', 'only show what would be done')
    .action((options: ApplyOptions) => apply(cli(), options));
}

/** All files are checked before anything is asked, and all of the plan is known before it begins. */
async function apply(cli: Cli, { file, dryRun = false }: ApplyOptions): Promise<void> {
  const manifests = readManifests(file);
  await cli.withCluster(async (cluster) => {
    const plan = await planOf(cluster, manifests);
    const warnings = await warningsOf(cluster, plan);
    if (!cli.output.json) showPlan(cli.output, plan, warnings);
    const todo = plan.filter(({ action }) => action !== 'unchanged');
    const { done, failure } = dryRun
      ? { done: [], failure: undefined }
      : await carryOut(cli, cluster, todo);
    if (failure) cli.exitCode = exitCodeOfError(failure.error);
    cli.answer(documentOf({ plan, warnings, dryRun, done, failure }), (output) => {
      if (failure) showFailure(cli, failure, todo.length - done.length - 1);
      else output.line(dryRun ? 'Nothing was changed: this was a dry run.' : countText(plan));
    });
  });
}

async function carryOut(
  cli: Cli,
  cluster: Cluster,
  todo: readonly Change[],
): Promise<{ done: Change[]; failure: Failure | undefined }> {
  const done: Change[] = [];
  for (const change of todo) {
    const { kind, spec } = change.manifest;
    try {
      await kind.put(cluster, spec);
    } catch (error) {
      return { done, failure: { change, error } };
    }
    done.push(change);
    if (!cli.output.json) cli.output.line(`${titleOf(change)} is ${change.action}.`);
  }
  return { done, failure: undefined };
}

function showPlan(output: Output, plan: readonly Change[], warnings: readonly Warning[]): void {
  const width = Math.max(...ACTIONS.map((action) => action.length));
  for (const change of plan) {
    output.line(`${change.action.padEnd(width)}  ${printable(titleOf(change))}`);
    output.lines(
      change.differences.map((one) => `${' '.repeat(width + 4)}${printable(differenceText(one))}`),
    );
  }
  output.line();
  for (const { about, text } of warnings) output.remark(`warning: ${about}: ${text}`);
}

/** What was done stays; what was not is told, and nothing has to be undone. */
function showFailure(cli: Cli, { change, error }: Failure, left: number): void {
  const { err } = cli.world;
  err.write(`${titleOf(change)} (${change.manifest.place}) is not ${change.action}: `);
  err.write(`${messageOfFailure(error).split('\n').map(printable).join('\n')}\n`);
  const rest = left > 0 ? ` ${left} more ${left === 1 ? 'was' : 'were'} not begun.` : '';
  const again = error instanceof PermanentError ? 'Mend it and apply' : 'Apply';
  err.write(`What is said above is done.${rest} ${again} the same files again for the rest.\n`);
}

function documentOf(result: {
  readonly plan: readonly Change[];
  readonly warnings: readonly Warning[];
  readonly dryRun: boolean;
  readonly done: readonly Change[];
  readonly failure: Failure | undefined;
}) {
  const { plan, warnings, dryRun, done, failure } = result;
  return {
    dryRun,
    plan: plan.map((change) => ({
      kind: change.manifest.kind.kind,
      name: change.manifest.name,
      place: change.manifest.place,
      action: change.action,
      differences: change.differences,
      done: done.includes(change),
    })),
    warnings,
    ...(failure ? { failed: titleOf(failure.change), ...toErrorBody(failure.error) } : {}),
  };
}

function titleOf({ manifest: { kind, name } }: Change): string {
  return `${kind.kind} ${name}`;
}

function countText(plan: readonly Change[]): string {
  const counts = ACTIONS.map((action) => {
    const count = plan.filter((change) => change.action === action).length;
    return `${count} ${action}`;
  });
  return `${counts.join(', ')}.`;
}
