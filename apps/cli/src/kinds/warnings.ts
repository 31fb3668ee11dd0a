import {
  brokerClient,
  brokerServers,
  brokerUnits,
  type MediaServer,
  type StorageUnit,
} from '#contracts/broker.js';
import type { PolicySpec } from '#contracts/policy.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import type { Cluster } from '../cluster/cluster.js';
import { specOf } from './kind.js';
import { policyKind } from './policy-kind.js';
import type { Change } from './plan.js';
import { storageUnitKind } from './storage-unit-kind.js';

/** What is wrong with a document that may be stored all the same: it would do nothing. */
export interface Warning {
  /** `Policy web`. */
  readonly about: string;
  readonly text: string;
}

/** What policies and units refer to. Units of the files count as if they were there. */
export interface Surroundings {
  readonly units: ReadonlyMap<string, StorageUnit>;
  readonly servers: ReadonlyMap<string, MediaServer>;
  /** Clients that no agent has ever spoken for. */
  readonly unknownClients: ReadonlySet<string>;
}

const CLIENTS_ASKED_MAX = 2_000;
const QUESTIONS_AT_ONCE = 32;
const NAMES_SHOWN_MAX = 10;

/** Looks at everything that a plan creates or changes. */
export async function warningsOf(cluster: Cluster, plan: readonly Change[]): Promise<Warning[]> {
  const touched = plan.filter(({ action }) => action !== 'unchanged');
  if (touched.length === 0) return [];
  const there = await surroundingsOf(cluster, plan);
  if (there === undefined) {
    const text = 'not looked at: the broker, which knows them, does not answer';
    return [{ about: 'clients and storage units', text }];
  }
  return touched.flatMap(({ manifest: { kind, name, spec } }) => {
    const texts =
      kind.kind === policyKind.kind
        ? policyWarnings(spec as unknown as PolicySpec, there)
        : kind.kind === storageUnitKind.kind
          ? unitWarnings(spec as unknown as StorageUnit, there)
          : [];
    return texts.map((text) => ({ about: `${kind.kind} ${name}`, text }));
  });
}

/** Why a policy would not do what it says. */
export function policyWarnings(policy: PolicySpec, there: Surroundings): string[] {
  const unknown = policy.clients.filter((client) => there.unknownClients.has(client));
  const storages = new Set([policy.storage]);
  return [
    ...(unknown.length > 0
      ? [`no agent has ever spoken for ${namesText(unknown)}: its backups fail until one does`]
      : []),
    ...[...storages].flatMap((storage) => storageWarnings(storage, there)),
  ];
}

/** Why a unit could never be granted. */
export function unitWarnings(unit: StorageUnit, { servers }: Surroundings): string[] {
  const server = servers.get(unit.mediaId);
  if (server === undefined) return [`media server ${unit.mediaId} has never been heard of`];
  if (server.volumes.some(({ pool }) => pool === unit.pool)) return [];
  return [`media server ${unit.mediaId} has no volume of pool ${unit.pool}`];
}

function storageWarnings(storage: string, there: Surroundings): string[] {
  const unit = there.units.get(storage);
  if (unit === undefined) {
    const names = [...there.units.keys()];
    const hint = names.length > 0 ? `there are ${namesText(names)}` : 'there is none at all';
    return [`there is no storage unit "${storage}"; ${hint}`];
  }
  return unitWarnings(unit, there).map((text) => `storage unit ${storage}: ${text}`);
}

/** Undefined where the broker is away: a policy can be stored all the same. */
async function surroundingsOf(
  cluster: Cluster,
  plan: readonly Change[],
): Promise<Surroundings | undefined> {
  try {
    return await askSurroundings(cluster, plan);
  } catch (error) {
    if (error instanceof Unavailable) return undefined;
    throw error;
  }
}

async function askSurroundings(cluster: Cluster, plan: readonly Change[]): Promise<Surroundings> {
  const [{ units }, { servers }, unknownClients] = await Promise.all([
    cluster.ask(brokerUnits, {}),
    cluster.ask(brokerServers, {}),
    unknownAmong(cluster, clientsOf(plan)),
  ]);
  const specs = plan.map(({ manifest }) => manifest);
  const planned = specs.filter(({ kind }) => kind.kind === storageUnitKind.kind);
  return {
    units: new Map([
      ...units.map((unit) => [unit.name, specOf(storageUnitKind.schema, unit)] as const),
      ...planned.map(({ name, spec }) => [name, spec as unknown as StorageUnit] as const),
    ]),
    servers: new Map(servers.map((server) => [server.mediaId, server])),
    unknownClients,
  };
}

function clientsOf(plan: readonly Change[]): string[] {
  const policies = plan.filter(
    ({ action, manifest }) => action !== 'unchanged' && manifest.kind.kind === policyKind.kind,
  );
  const names = policies.flatMap(
    ({ manifest }) => (manifest.spec as unknown as PolicySpec).clients,
  );
  return [...new Set(names)].slice(0, CLIENTS_ASKED_MAX);
}

/** One by one: the list of all clients may be longer than a message. */
async function unknownAmong(cluster: Cluster, clients: readonly string[]): Promise<Set<string>> {
  const unknown = new Set<string>();
  for (let from = 0; from < clients.length; from += QUESTIONS_AT_ONCE) {
    const some = clients.slice(from, from + QUESTIONS_AT_ONCE);
    await Promise.all(
      some.map(async (client) => {
        if (!(await isKnown(cluster, client))) unknown.add(client);
      }),
    );
  }
  return unknown;
}

async function isKnown(cluster: Cluster, client: string): Promise<boolean> {
  try {
    await cluster.ask(brokerClient, { client });
    return true;
  } catch (error) {
    if (error instanceof PermanentError) return false;
    throw error;
  }
}

function namesText(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN_MAX;
  return `${names.slice(0, NAMES_SHOWN_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
