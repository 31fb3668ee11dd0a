import type { MediaServer } from '#contracts/broker.js';
import type { HealthReport } from '#contracts/health.js';
import type { MicroInstance } from '#messaging/micro/discovery.js';
import type { Client } from './all-clients.js';

/** One process of the cluster; what nobody says of it is null. */
export interface ProcessView {
  /** `jobs`, `media`, `nats-server` ... */
  readonly process: string;
  /** A media server's or client's name, the id of this start of a service. */
  readonly id: string | null;
  readonly state: 'ok' | 'trouble' | 'down';
  readonly host: string | null;
  readonly pid: number | null;
  readonly version: string | null;
  readonly startedAt: string | null;
  readonly residentBytes: number | null;
  /** That it answered since its start, and those that it refused or failed on. */
  readonly requests: number | null;
  readonly errors: number | null;
  readonly trouble: readonly string[];
}

/** What came back from everybody. */
export interface Heard {
  readonly reports: readonly HealthReport[];
  readonly instances: readonly MicroInstance[];
  /** Whom the broker knows; undefined where it did not answer. */
  readonly servers: readonly MediaServer[] | undefined;
  readonly clients: readonly Client[] | undefined;
}

export const SERVICES = ['policy', 'jobs', 'broker', 'catalog', 'media', 'agent'] as const;

const NOTHING: Omit<ProcessView, 'process' | 'state'> = {
  ...{ id: null, host: null, pid: null, version: null, startedAt: null, residentBytes: null },
  ...{ requests: null, errors: null, trouble: [] },
};

/** A process that knows itself under this name, for the rows that nobody else makes. */
export function processView(
  view: Pick<ProcessView, 'process' | 'state'> & Partial<ProcessView>,
): ProcessView {
  return { ...NOTHING, ...view };
}

/** Who answers, and who should and does not: by service, then by name. */
export function processesOf(heard: Heard): ProcessView[] {
  const answering = answeringOf(heard);
  const missing = missingOf(heard, answering);
  return SERVICES.flatMap((service) => {
    const rows = [...answering, ...missing].filter((row) => row.process === service);
    if (rows.length === 0) return [down(service, { trouble: ['no answer: is it running?'] })];
    return rows.sort((a, b) => (a.id ?? '').localeCompare(b.id ?? ''));
  });
}

function answeringOf({ reports, instances, servers, clients }: Heard): ProcessView[] {
  const byPlace = new Map<string, { report?: HealthReport; micro?: MicroInstance }>();
  for (const report of reports) {
    byPlace.set(placeOf(report.service, report), { report });
  }
  for (const micro of instances.filter(({ service }) => isOurs(service))) {
    const { instance = micro.id, host = '', pid = '0' } = micro.metadata;
    const place = placeOf(micro.service, { instance, host, pid: Number(pid) });
    byPlace.set(place, { ...byPlace.get(place), micro });
  }
  const rows = [...byPlace.values()].map(rowOf);
  const unheard = new Set([
    ...(servers ?? []).filter(({ state }) => state === 'down').map((one) => `media ${one.mediaId}`),
    ...(clients ?? []).filter(({ state }) => state === 'down').map((one) => `agent ${one.client}`),
  ]);
  return rows.map((row) => {
    const name = `${row.process} ${row.id}`;
    const twice = rows.filter((other) => `${other.process} ${other.id}` === name).length > 1;
    return withTrouble(row, [
      ...(unheard.has(name) ? ['the broker has not heard of it for a while'] : []),
      ...(twice ? ['two processes have this name: stop one of them'] : []),
    ]);
  });
}

function rowOf({ report, micro }: { report?: HealthReport; micro?: MicroInstance }): ProcessView {
  const failed = report?.checks.filter(({ ok }) => !ok) ?? [];
  const trouble = report
    ? failed.map(({ name, text }) => `${name}: ${text}`)
    : ['it is there, but does not say in time how it is'];
  const metadata = micro?.metadata ?? {};
  const pid = report?.pid ?? Number(metadata['pid']);
  return processView({
    process: report?.service ?? micro!.service,
    id: report?.instance ?? metadata['instance'] ?? micro!.id,
    state: trouble.length > 0 ? 'trouble' : 'ok',
    host: report?.host ?? metadata['host'] ?? null,
    pid: Number.isInteger(pid) ? pid : null,
    version: report?.version ?? micro!.version,
    startedAt: report?.startedAt ?? micro?.startedAt ?? null,
    residentBytes: report?.residentBytes ?? null,
    requests: micro?.requests ?? null,
    errors: micro?.errors ?? null,
    trouble,
  });
}

/** Media servers and clients that the broker has heard of once, and that do not answer. */
function missingOf(heard: Heard, answering: readonly ProcessView[]): ProcessView[] {
  const there = new Set(answering.map(({ process, id }) => `${process} ${id}`));
  const known = [
    ...(heard.servers ?? []).map((one) => ({ ...one, process: 'media', id: one.mediaId })),
    ...(heard.clients ?? []).map((one) => ({ ...one, process: 'agent', id: one.client })),
  ];
  return known
    .filter(({ process, id }) => !there.has(`${process} ${id}`))
    .map(({ process, id, host, version, lastSeenAt }) =>
      down(process, { id, host, version, trouble: [`no answer; last heard of at ${lastSeenAt}`] }),
    );
}

function down(process: string, known: Partial<ProcessView>): ProcessView {
  return processView({ process, state: 'down', ...known });
}

function withTrouble(row: ProcessView, more: readonly string[]): ProcessView {
  return more.length === 0 ? row : { ...row, state: 'trouble', trouble: [...row.trouble, ...more] };
}

function isOurs(service: string): boolean {
  return (SERVICES as readonly string[]).includes(service);
}

/** Two processes that claim the same name are two. */
function placeOf(
  service: string,
  { instance, host, pid }: Pick<HealthReport, 'instance' | 'host' | 'pid'>,
): string {
  return [service, instance, host, pid].join(' ');
}
