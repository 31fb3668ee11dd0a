import type { Command } from 'commander';
import {
  policyCheck,
  policyDelete,
  policyGet,
  policyPut,
  policyRun,
  policySpec,
  type PolicySpec,
  type Suspension,
} from '#contracts/policy.js';
import { uuidv7 } from '#kernel/ids.js';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-codes.js';
import { allPolicies, POLICY_COLUMNS } from '../kinds/policy-kind.js';
import type { Column } from '../output/table.js';
import { defineScheduling, suspensionRemarks } from './policy-scheduling.js';

interface ListedPolicy extends PolicySpec {
  readonly scheduling: string;
}

const COLUMNS: readonly Column<ListedPolicy>[] = [
  ...POLICY_COLUMNS,
  { title: 'SCHEDULING', cell: ({ scheduling }) => scheduling },
];

export function define(command: Command, cli: () => Cli): void {
  const file = ['-f, --file <file>', 'YAML or JSON; - reads standard input'] as const;
  command
    .command('create')
    .description('create a policy from a file')
    .requiredOption(...file)
    .action((options: { file: string }) => put(cli(), options.file, true));
  command
    .command('put')
    .description('create a policy from a file, or replace the one of that name')
    .requiredOption(...file)
    .action((options: { file: string }) => put(cli(), options.file, false));
  command
    .command('check')
    .description('say what is wrong with a policy in a file, and keep nothing of it')
    .requiredOption(...file)
    .action((options: { file: string }) => check(cli(), options.file));
  command
    .command('list')
    .description('list all policies')
    .action(() => list(cli()));
  command
    .command('show')
    .description('print a policy as the YAML that create and put take')
    .argument('<name>')
    .action((name: string) => show(cli(), name));
  command
    .command('delete')
    .description('remove a policy; its images stay')
    .argument('<name>')
    .action((name: string) => remove(cli(), name));
  command
    .command('run')
    .description('start a schedule of a policy now')
    .argument('<name>')
    .option('--schedule <name>', 'which one (default: the first full one)')
    .option('--client <name>', 'for this client only')
    .action((name: string, options: RunOptions) => run(cli(), { name, ...options }));
  defineScheduling(command, cli);
}

interface RunOptions {
  readonly schedule?: string;
  readonly client?: string;
}

async function put(cli: Cli, file: string, create: boolean): Promise<void> {
  const { readDocument } = await import('../input/document-file.js');
  const policy = readDocument(file, policySpec, 'Policy');
  await cli.withCluster(async (cluster) => {
    const answer = await cluster.ask(policyPut, { policy, create, check: true });
    cli.answer(answer, (output) => {
      output.line(`Policy ${policy.name} is ${answer.created ? 'created' : 'changed'}.`);
      for (const { field, message } of answer.warnings) {
        output.remark(`Warning: ${field}: ${message}.`);
      }
      output.line(`Run it now with: holdfast policy run ${policy.name}`);
    });
  });
}

async function check(cli: Cli, file: string): Promise<void> {
  const { readDocument } = await import('../input/document-file.js');
  const policy = readDocument(file, policySpec, 'Policy');
  const answer = await cli.withCluster((cluster) => cluster.ask(policyCheck, { policy }));
  cli.answer(answer, (output) => {
    for (const { field, message } of answer.warnings) output.line(`${field}: ${message}.`);
    const what = answer.exists ? 'would be changed' : 'would be created';
    const warnings =
      answer.warnings.length === 1 ? '1 warning' : `${answer.warnings.length} warnings`;
    output.line(`Policy ${policy.name} ${what}; ${warnings}.`);
  });
}

async function list(cli: Cli): Promise<void> {
  const answer = await cli.withCluster(allPolicies);
  cli.answer(answer, (output) => {
    const { policies, suspensions } = answer;
    const listed = policies.map((policy) => listedPolicy(policy, suspensions));
    if (listed.length > 0) output.table(COLUMNS, listed);
    else output.line('No policies. Create one with: holdfast policy create -f FILE');
    for (const remark of suspensionRemarks(suspensions)) output.remark(remark);
  });
}

function listedPolicy(policy: PolicySpec, suspensions: readonly Suspension[]): ListedPolicy {
  const suspended = suspensions.some((one) => one.policy === null || one.policy === policy.name);
  const scheduling = !policy.active ? 'inactive' : suspended ? 'suspended' : 'on';
  return { ...policy, scheduling };
}

async function show(cli: Cli, name: string): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(policyGet, { name }));
  const { toYaml } = await import('../output/yaml.js');
  cli.answer(answer, (output) => output.out.write(toYaml(answer.policy)));
}

async function remove(cli: Cli, name: string): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(policyDelete, { name }));
  cli.answer(answer, (output) => output.line(`Policy ${name} is deleted; its images stay.`));
}

async function run(cli: Cli, request: RunOptions & { name: string }): Promise<void> {
  const requestId = uuidv7(cli.now());
  const answer = await cli.withCluster((cluster) =>
    cluster.submit(policyRun, { ...request, requestId }),
  );
  cli.answer(answer, (output) => {
    for (const { job, client } of answer.jobs) {
      output.line(`Job ${job} backs up ${client}. Watch it with: holdfast jobs watch ${job}`);
    }
    for (const { client, status, message } of answer.refused) {
      output.remark(`${client}: status ${status}: ${message}`);
    }
    if (answer.jobs.length === 0) output.line('No job was started.');
  });
  if (answer.refused.length > 0) cli.exitCode = EXIT.partial;
}
