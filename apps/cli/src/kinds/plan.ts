import type { Cluster } from '../cluster/cluster.js';
import { differences, type Difference } from './differences.js';
import type { Spec } from './kind.js';
import { KINDS } from './kind-table.js';
import type { Manifest } from './manifests.js';

/** What applying one document does. */
export interface Change {
  readonly manifest: Manifest;
  readonly action: 'created' | 'changed' | 'unchanged';
  /** Of what is changed. */
  readonly differences: readonly Difference[];
}

const QUESTIONS_AT_ONCE = 16;

/** Compares what files say with what there is, in the order in which it has to be applied. */
export async function planOf(cluster: Cluster, manifests: readonly Manifest[]): Promise<Change[]> {
  const ordered = KINDS.flatMap((kind) => manifests.filter((one) => one.kind === kind));
  const changes: Change[] = [];
  for (let from = 0; from < ordered.length; from += QUESTIONS_AT_ONCE) {
    const some = ordered.slice(from, from + QUESTIONS_AT_ONCE);
    changes.push(...(await Promise.all(some.map((one) => compare(cluster, one)))));
  }
  return changes;
}

async function compare(cluster: Cluster, manifest: Manifest): Promise<Change> {
  const { kind, name, spec } = manifest;
  const found = await kind.find(cluster, name);
  if (found === undefined) return { manifest, action: 'created', differences: [] };
  const fields = differences(plain(found), plain(spec));
  return { manifest, action: fields.length > 0 ? 'changed' : 'unchanged', differences: fields };
}

/** As it travels: a field that is undefined is none. */
function plain(spec: Spec): unknown {
  return JSON.parse(JSON.stringify(spec));
}
