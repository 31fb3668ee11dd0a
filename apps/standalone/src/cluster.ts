import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { natsUsers } from '#contracts/permissions.js';
import { CONSUMERS, STREAMS } from '#contracts/streams.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { Nats } from '#messaging/connection.js';
import { TOPOLOGY_LOOK_MS, TopologyKeeper } from '#messaging/topology-keeper.js';
import { startService, type Environment } from '#service/run-service.js';
import type { ServiceDefinition } from '#service/service-definition.js';
import { brokerDefinition } from '../../broker/src/broker.definition.js';
import { catalogDefinition } from '../../catalog/src/catalog.definition.js';
import { jobsDefinition } from '../../jobs/src/jobs.definition.js';
import { policyDefinition } from '../../policy/src/policy.definition.js';
import { DataProcess } from './data-process.js';
import { password, seedFile } from './servers/credential-files.js';
import type { DataFolder } from './servers/data-folder.js';
import { NATS_USERS_FILE } from './servers/nats-server.js';
import { startServers, type Servers } from './servers.js';
import { volumeText, type MediaPlan, type VolumePlan } from './media-plan.js';
import { ensureServiceRoles, roleName } from './service-roles.js';

export interface ClusterPlan {
  readonly folder: DataFolder;
  readonly checkout: string;
  readonly client: string;
  readonly media: readonly MediaPlan[];
  readonly natsUrl?: string | undefined;
  readonly databaseUrl?: string | undefined;
  readonly natsPort?: number | undefined;
  readonly postgresPort?: number | undefined;
}

/** The services that live in one process: they wait for others most of the time. */
const CONTROL: readonly ServiceDefinition[] = [
  brokerDefinition,
  catalogDefinition,
  jobsDefinition,
  policyDefinition,
];

/** Servers, control services, media server and agent of one machine. */
export class Cluster {
  /** Resolves when something ended that the cluster cannot live without. */
  readonly failed: Promise<Error>;
  private fail: (error: Error) => void = () => undefined;
  private readonly undo: (() => Promise<void>)[] = [];
  private starting: Promise<{ natsUrl: string }> | undefined;
  private stopping = false;

  constructor(private readonly plan: ClusterPlan) {
    this.failed = new Promise((resolve) => {
      this.fail = resolve;
    });
  }

  /** Starts everything and says where the broker is. Whoever calls this calls `stop` too. */
  start(): Promise<{ natsUrl: string }> {
    this.starting = this.startAll();
    return this.starting;
  }

  /** Stops all that was started, the last one first; a start that is under way ends at its next step. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.starting?.catch(() => undefined);
    for (const step of this.undo.splice(0).reverse()) await step();
  }

  private async startAll(): Promise<{ natsUrl: string }> {
    const servers = await startServers({
      ...this.plan,
      users: natsUsers({
        media: this.plan.media.map(({ mediaId }) => mediaId),
        clients: [this.plan.client],
      }),
    });
    this.undo.push(() => servers.stop());
    void servers.ended.then((what) => this.fail(new PermanentError(STATUS.systemError, what)));
    const { natsUrl } = servers;
    this.goOn();
    await Promise.all([this.ensureTopology(natsUrl), this.ensureRoles(servers)]);
    this.goOn();
    await all(CONTROL.map((definition) => this.startControl(definition, servers)));
    this.goOn();
    const own = this.plan.media.filter(({ volumes }) => volumes.length > 0);
    const [first, ...further] = own.map((one) => () => this.startMedia(one, natsUrl));
    // The first one by itself: the cluster's first storage unit is to be on it.
    await all([first!(), this.startAgent(natsUrl)]);
    await all(further.map((start) => start()));
    return { natsUrl };
  }

  private goOn(): void {
    if (this.stopping) throw new PermanentError(STATUS.cancelled, 'Stopped before it was ready.');
  }

  private async startControl(definition: ServiceDefinition, servers: Servers) {
    const service = await startService(definition, {
      ...process.env,
      ...this.natsEnvironment(servers.natsUrl, definition.name),
      ...this.databaseEnvironment(servers, definition.name),
      HOLDFAST_CATALOG_BACKUP_FOLDER:
        process.env['HOLDFAST_CATALOG_BACKUP_FOLDER'] ??
        join(this.plan.folder.path, 'catalog-backups'),
    });
    this.undo.push(() => service.stop());
  }

  private startMedia(plan: MediaPlan, natsUrl: string): Promise<void> {
    const { mediaId, volumes, libraries = [] } = plan;
    const isFirst = mediaId === this.plan.media[0]?.mediaId;
    return this.startProcess(isFirst ? 'media' : `media-${mediaId}`, 'media', {
      ...this.natsEnvironment(natsUrl, `media-${mediaId}`),
      HOLDFAST_MEDIA_ID: mediaId,
      HOLDFAST_MEDIA_VOLUMES: listOf(volumes),
      ...(libraries.length > 0 && { HOLDFAST_MEDIA_LIBRARIES: listOf(libraries) }),
    });
  }

  private startAgent(natsUrl: string): Promise<void> {
    const { client, folder } = this.plan;
    return this.startProcess('agent', 'agent', {
      ...this.natsEnvironment(natsUrl, `agent-${client}`),
      HOLDFAST_CLIENT: client,
      HOLDFAST_AGENT_FOLDER: folder.agent,
      // A backup of everything must not hold the backups, nor itself.
      HOLDFAST_AGENT_LEAVE_OUT: this.foldersOfBackups().join(':'),
    });
  }

  private async startProcess(
    name: string,
    app: 'media' | 'agent',
    env: Record<string, string>,
  ): Promise<void> {
    const { folder, checkout } = this.plan;
    const child = new DataProcess({
      ...{ name, app },
      main: join(checkout, 'dist/apps', app, 'src/main.js'),
      env: { ...passedOn(), ...env },
      runFolder: folder.run,
      logFile: join(folder.logs, `${name}.log`),
    });
    this.undo.push(() => child.stop());
    await child.start();
  }

  private async ensureTopology(natsUrl: string): Promise<void> {
    const nats = await this.connectAsTopology(natsUrl);
    this.undo.push(() => nats.close());
    const keeper = new TopologyKeeper(nats, {
      streams: STREAMS,
      consumers: CONSUMERS,
      everyMs: Number(process.env['HOLDFAST_TOPOLOGY_LOOK_MS'] ?? TOPOLOGY_LOOK_MS),
    });
    this.undo.push(() => keeper.stop());
    await keeper.start();
  }

  private async connectAsTopology(url: string): Promise<Nats> {
    const user = 'topology';
    const seed = readFileSync(this.seedFile(user), 'utf8').trim();
    try {
      return await Nats.connect({ url, user, seed, clientName: `holdfast-${user}` });
    } catch (error) {
      const refused =
        this.plan.natsUrl &&
        error instanceof PermanentError &&
        error.status === STATUS.accessNotAllowed;
      if (!refused) throw error;
      const file = join(this.plan.folder.nats, NATS_USERS_FILE);
      throw new PermanentError(
        STATUS.accessNotAllowed,
        `nats-server at ${url} does not know this cluster. Include ${file} in its settings.`,
      );
    }
  }

  private async ensureRoles(servers: Servers): Promise<void> {
    if (!servers.superuser) return;
    const roles = CONTROL.map(({ name }) => ({ schema: name, password: this.password(name) }));
    await ensureServiceRoles(servers.superuser, roles);
  }

  private natsEnvironment(url: string, user: string) {
    return {
      HOLDFAST_NATS_URL: url,
      HOLDFAST_NATS_USER: user,
      HOLDFAST_NATS_SEED_FILE: this.seedFile(user),
    };
  }

  private databaseEnvironment(servers: Servers, schema: string): Environment {
    if (!servers.superuser) return { HOLDFAST_DATABASE_URL: servers.databaseUrl };
    return {
      HOLDFAST_DATABASE_URL: withUser(servers.databaseUrl, roleName(schema), this.password(schema)),
    };
  }

  private foldersOfBackups(): string[] {
    const places = this.plan.media.flatMap(({ volumes, libraries = [] }) => [
      ...volumes,
      ...libraries,
    ]);
    return [this.plan.folder.path, ...places.map(({ path }) => path)];
  }

  private seedFile(user: string): string {
    return seedFile(this.plan.folder.credentials, user);
  }

  private password(schema: string): string {
    return password(this.plan.folder.credentials, `postgres-${schema}`);
  }
}

function listOf(places: readonly VolumePlan[]): string {
  return places.map(volumeText).join(',');
}

/** Waits for all, also where one fails: what the others start must be known before it is stopped. */
async function all(steps: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(steps)).find(({ status }) => status === 'rejected');
  if (failed) throw (failed as PromiseRejectedResult).reason;
}

/** Settings that a person gave to `holdfast up` for a media server or an agent; they have no business with the database. */
function passedOn(): Record<string, string> {
  const entries = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      /^HOLDFAST_(?!DATABASE_)/.test(entry[0]) && entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}

function withUser(url: string, user: string, secret: string): string {
  const changed = new URL(url);
  changed.username = user;
  changed.password = secret;
  return changed.toString();
}
