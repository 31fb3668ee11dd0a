import { brokerServers, type MediaServer, type StorageUnit } from '#contracts/broker.js';
import { policyCheck, type PolicySpec, type PolicyWarning } from '#contracts/policy.js';
import { Unavailable } from '#kernel/errors.js';
import type { Cluster } from '../cluster/cluster.js';
import type { Spec } from './kind.js';
import type { Change } from './plan.js';
import { policyKind } from './policy-kind.js';
import { storageUnitGroupKind } from './storage-unit-group-kind.js';
import { storageUnitKind } from './storage-unit-kind.js';

/** What is wrong with a document that may be stored all the same: it would do nothing. */
export interface Warning {
  /** `Policy web`. */
  readonly about: string;
  readonly text: string;
}

const QUESTIONS_AT_ONCE = 8;
/** The policy service asks the broker for each client that a policy names. */
const CHECK_MS_MAX = 30_000;
/** Kinds that a policy may name as its storage. */
const STORAGE_KINDS: readonly string[] = [storageUnitKind.kind, storageUnitGroupKind.kind];

/** Has everything looked at that a plan creates or changes. */
export async function warningsOf(cluster: Cluster, plan: readonly Change[]): Promise<Warning[]> {
  const touched = plan.filter(({ action }) => action !== 'unchanged');
  const units = specsOf<StorageUnit>(touched, storageUnitKind.kind);
  const policies = specsOf<PolicySpec>(touched, policyKind.kind);
  const planned = new Set(
    plan
      .filter(({ manifest }) => STORAGE_KINDS.includes(manifest.kind.kind))
      .map(({ manifest }) => manifest.name),
  );
  const warnings = await ofUnits(cluster, units);
  for (let from = 0; from < policies.length; from += QUESTIONS_AT_ONCE) {
    const some = policies.slice(from, from + QUESTIONS_AT_ONCE);
    const found = await Promise.all(some.map((policy) => ofPolicy(cluster, policy, planned)));
    warnings.push(...found.flat());
  }
  return warnings;
}

/** Why a unit could never be granted. */
export function unitWarnings(
  unit: Pick<StorageUnit, 'mediaId' | 'pool'>,
  servers: readonly Pick<MediaServer, 'mediaId' | 'volumes'>[],
): string[] {
  const server = servers.find(({ mediaId }) => mediaId === unit.mediaId);
  if (server === undefined) return [`media server ${unit.mediaId} has never been heard of`];
  if (server.volumes.some(({ pool }) => pool === unit.pool)) return [];
  return [`media server ${unit.mediaId} has no volume of pool ${unit.pool}`];
}

/** The storage that the same files make is there by the time that the policy is. */
export function withoutPlanned(
  warnings: readonly PolicyWarning[],
  policy: PolicySpec,
  planned: ReadonlySet<string>,
): PolicyWarning[] {
  return warnings.filter(({ field }) => {
    const [, index] = /^policy(?:\.schedules\[(\d+)\])?\.storage$/.exec(field) ?? [field, null];
    if (index === null) return true;
    const named = index === undefined ? policy.storage : policy.schedules[Number(index)]?.storage;
    return named === undefined || !planned.has(named);
  });
}

async function ofPolicy(
  cluster: Cluster,
  policy: PolicySpec,
  planned: ReadonlySet<string>,
): Promise<Warning[]> {
  const { warnings } = await cluster.ask(policyCheck, { policy }, CHECK_MS_MAX);
  return withoutPlanned(warnings, policy, planned).map(({ field, message }) => ({
    about: `${policyKind.kind} ${policy.name}`,
    text: `${field.replace(/^policy\./, '')}: ${message}`,
  }));
}

async function ofUnits(cluster: Cluster, units: readonly StorageUnit[]): Promise<Warning[]> {
  if (units.length === 0) return [];
  try {
    const { servers } = await cluster.ask(brokerServers, {});
    return units.flatMap((unit) =>
      unitWarnings(unit, servers).map((text) => ({
        about: `${storageUnitKind.kind} ${unit.name}`,
        text,
      })),
    );
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    return [{ about: 'storage units', text: `not looked at: ${error.message}` }];
  }
}

function specsOf<S extends Spec>(plan: readonly Change[], kind: string): S[] {
  return plan
    .filter(({ manifest }) => manifest.kind.kind === kind)
    .map(({ manifest }) => manifest.spec as S);
}
