import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';
import { TestCluster } from '../cluster/cluster.js';
import { atMost, measurement, median, type Measurement } from './measurement.js';

const ROUNDS = 7;
/** Idle database connections are closed after ten seconds. */
const UNTIL_IDLE_MS = 15_000;

/** How soon and how lightly everything starts. */
export async function startBench(): Promise<Measurement[]> {
  const cluster = await TestCluster.start();
  try {
    const ready = await restartSeconds(cluster);
    const command = commandSeconds(cluster);
    const backup = backupSeconds(cluster);
    await sleep(UNTIL_IDLE_MS);
    return [command, ready, backup, idleMemory(cluster)];
  } finally {
    await cluster.stop();
  }
}

async function restartSeconds(cluster: TestCluster): Promise<Measurement> {
  const times: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    await cluster.interrupt();
    const begun = performance.now();
    await cluster.restart();
    times.push((performance.now() - begun) / 1_000);
  }
  const ours = median(times);
  return measurement(
    { measure: '`holdfast up` on an existing data folder', unit: 's', ours },
    atMost(5, 's'),
  );
}

function commandSeconds(cluster: TestCluster): Measurement {
  const run = (args: readonly string[]) => secondsOf(args, cluster);
  const rounds = Array.from({ length: ROUNDS }, () => ({
    bare: run(['-e', '0']),
    jobs: run([bin(), 'jobs']),
  }));
  const ours = median(rounds.map(({ jobs }) => jobs));
  const peers = { 'node -e 0': median(rounds.map(({ bare }) => bare)) };
  return measurement({ measure: '`holdfast jobs`', unit: 's', ours, peers }, atMost(0.3, 's'));
}

function backupSeconds(cluster: TestCluster): Measurement {
  const file = cluster.path('work', 'one-small-file');
  const times = Array.from({ length: ROUNDS }, (_, round) => {
    writeFileSync(file, `round ${round}\n`);
    return secondsOf([bin(), 'backup', file], cluster);
  });
  const peers = { 'holdfast jobs': secondsOf([bin(), 'jobs'], cluster) };
  return measurement(
    { measure: 'backup of one small file, command to DONE', unit: 's', ours: median(times), peers },
    atMost(0.5, 's'),
  );
}

/** Resident memory of every process of the cluster; shared pages count for each that has them. */
function idleMemory(cluster: TestCluster): Measurement {
  const pids = cluster.processes().map(({ pid }) => pid);
  const sum = (line: string, file: string) =>
    pids.map((pid) => mib(pid, file, line)).reduce((total, one) => total + one, 0);
  const ours = sum('VmRSS', 'status');
  const peers = { 'shared pages counted once (PSS)': sum('Pss', 'smaps_rollup') };
  return measurement(
    { measure: `idle cluster, ${pids.length} processes`, unit: 'MiB', ours, peers },
    atMost(600, 'MiB'),
  );
}

function mib(pid: number, file: string, line: string): number {
  const text = readFileSync(`/proc/${pid}/${file}`, 'utf8');
  return Number(new RegExp(`^${line}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024;
}

function secondsOf(args: readonly string[], cluster: TestCluster): number {
  const begun = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, {
    env: { ...process.env, HOLDFAST_DATA: cluster.dataFolder },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
  return (performance.now() - begun) / 1_000;
}

function bin(): string {
  return join(checkoutFolder(), 'bin/holdfast');
}
