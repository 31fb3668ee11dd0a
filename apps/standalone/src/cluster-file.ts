import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** How the command line finds a running cluster: `run/cluster.json` in its data folder. */
export const clusterFile = z.object({
  natsUrl: z.string(),
  pid: z.int(),
  startedAt: z.string(),
  version: z.string(),
  /** The client and the media server of this machine. */
  client: z.string(),
  mediaId: z.string(),
});
export type ClusterFile = z.infer<typeof clusterFile>;

export function clusterFilePath(dataFolder: string): string {
  return join(dataFolder, 'run', 'cluster.json');
}

/** Whole or not at all: who reads it sees the old one or the new one. */
export function writeClusterFile(dataFolder: string, cluster: ClusterFile): void {
  const path = clusterFilePath(dataFolder);
  writeFileSync(`${path}.new`, `${JSON.stringify(cluster)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function removeClusterFile(dataFolder: string): void {
  rmSync(clusterFilePath(dataFolder), { force: true });
}

/** `undefined` when no cluster has been started there or it was stopped. */
export function readClusterFile(dataFolder: string): ClusterFile | undefined {
  try {
    return clusterFile.parse(JSON.parse(readFileSync(clusterFilePath(dataFolder), 'utf8')));
  } catch {
    return undefined;
  }
}
