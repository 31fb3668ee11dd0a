import { Injectable, Logger } from '@nestjs/common';
import type { DataAddress } from '#contracts/names.js';
import { Clock } from '#kernel/clock.js';
import { messageOf, Unavailable } from '#kernel/errors.js';
import { uuidv7 } from '#kernel/ids.js';
import { Nats } from '#messaging/connection.js';
import type { Startable } from '#service/lifecycle.js';
import { DataServer } from '#transfer/data-server.js';
import { CatalogLink } from './commits/catalog-link.js';
import { CommitOffers } from './commits/commit-offers.js';
import { MediaConfig } from './config.js';
import { crashAt, type CrashPoint } from './crash-point.js';
import { Holdings } from './inventory/holdings.js';
import { MediaLibrary } from './library/media-library.js';
import { SessionRegistry } from './sessions/session-registry.js';
import type { Volume } from './volumes/volume.js';
import { Volumes } from './volumes/volumes.js';

const LOOPBACK = '127.0.0.1';
const JOURNAL_LOOK_MS = 1_000;

interface Opened {
  readonly volumes: Volumes;
  readonly offers: CommitOffers;
  readonly holdings: Holdings;
}

/**
 * Volumes, offers and the data port of this media server, started and stopped in their order. Its endpoints are there
 * before: whoever asks while the volumes are being opened, which may take minutes, is told so (`Unavailable`).
 */
@Injectable()
export class MediaNode implements Startable {
  readonly registry: SessionRegistry;
  readonly crashPoint: CrashPoint;
  private readonly logger = new Logger('media');
  private opened: Opened | undefined;
  private server: DataServer | undefined;
  private listening: DataAddress | undefined;
  private watch: NodeJS.Timeout | undefined;

  constructor(
    private readonly nats: Nats,
    private readonly link: CatalogLink,
    readonly clock: Clock,
    private readonly config: MediaConfig,
  ) {
    this.registry = new SessionRegistry(clock);
    this.crashPoint = crashAt(config.crashAt);
  }

  get volumes(): Volumes {
    return this.parts.volumes;
  }

  get libraries(): readonly MediaLibrary[] {
    return this.volumes.libraries;
  }

  get offers(): CommitOffers {
    return this.parts.offers;
  }

  /** Ids of the volumes that are there, and of which all could be read: of another one nothing counts as missing. */
  async volumesThere(): Promise<string[]> {
    const { volumes, holdings } = this.parts;
    const there = new Set(await volumes.there());
    return [...volumes].flatMap((volume) => {
      const isRead = volume.unsettled.length === 0 && holdings.hasSeen(volume);
      return isRead && there.has(volume.volumeId) ? [volume.volumeId] : [];
    });
  }

  get holdings(): Holdings {
    return this.parts.holdings;
  }

  get address(): DataAddress {
    return this.listening ?? this.notYet();
  }

  async start(): Promise<void> {
    const { config, clock } = this;
    const volumes = await Volumes.open({
      mediaId: config.mediaId,
      volumes: config.volumes,
      volumeReserveBytes: config.reserveBytes,
      clock,
      libraries: config.libraries,
      openLibrary: (where) => this.openLibrary(where),
    });
    const offers = new CommitOffers({
      publisher: this.link,
      inquiry: this.link,
      places: volumes,
      clock,
      // oxlint-disable-next-line no-restricted-properties -- here chance comes in from outside
      chance: () => Math.random(),
      crashPoint: this.crashPoint,
    });
    const holdings = new Holdings(volumes);
    this.opened = { volumes, offers, holdings };
    this.tellLeftovers(volumes);
    for (const volume of volumes) {
      for (const what of volume.unsettled) this.tellUnread(volume, what);
    }
    void this.lookForOrphans(holdings);
    this.link.listen((receipts) => offers.onReceipts(receipts));
    offers.start(volumes);
    void this.nats.watch(({ type }) => {
      if (type === 'reconnect') offers.onReconnect();
    });
    await this.listen();
    this.watch = setInterval(() => this.requireJournals(), JOURNAL_LOOK_MS);
  }

  /** Cuts the data port, lets what is under way end, and closes the journals last. */
  async stop(): Promise<void> {
    clearInterval(this.watch);
    await this.server?.close();
    await this.link.hangUp();
    await this.opened?.offers.stop();
    await this.opened?.volumes.close();
  }

  private get parts(): Opened {
    return this.opened ?? this.notYet();
  }

  private notYet(): never {
    const { mediaId } = this.config;
    throw new Unavailable(`the media server ${mediaId} is still opening its volumes`);
  }

  private openLibrary(where: { path: string; pool: string }): Promise<MediaLibrary> {
    const { mediaId, reserveBytes, spoolBytesMax, mountTimeoutMs } = this.config;
    const log = (severity: 'info' | 'warning', text: string) => {
      const told = `library "${where.pool}": ${text}`;
      if (severity === 'info') this.logger.log(told);
      else this.logger.warn(told);
    };
    const given = { mediaId, reserveBytes, spoolBytesMax, mountTimeoutMs, log, clock: this.clock };
    return MediaLibrary.open({ ...where, ...given, onStep: this.crashPoint });
  }

  private tellLeftovers(volumes: Volumes): void {
    for (const { path, pool, leftovers } of volumes) {
      const { fragments, bytes } = leftovers;
      if (fragments === 0) continue;
      this.logger.warn(
        `The volume ${path} of pool "${pool}" holds ${fragments} fragments (${bytes} bytes of data) that were ` +
          'begun and never finished. While this media server is stopped, files *.partial below ' +
          'images/ and spool/ there may be removed.',
      );
    }
  }

  private tellUnread({ path, pool }: Volume, what: string): void {
    this.logger.error(
      `Not all of the volume ${path} of pool "${pool}" can be used: ${what}. Nothing there counts as missing ` +
        'until that is mended: its file system may need a check. Then start this media server again.',
    );
  }

  /** In the background: the names of all fragments are read. */
  private async lookForOrphans(holdings: Holdings): Promise<void> {
    try {
      const found = await holdings.scan();
      for (const [volume, error] of holdings.unread) this.tellUnread(volume, messageOf(error));
      for (const [volume, orphans] of found) {
        if (orphans === 0) continue;
        const what = `${orphans} whole fragments of pool "${volume.pool}" (volume ${volume.volumeId})`;
        const lost = `THE JOURNAL OF A VOLUME IS MISSING OR EMPTY: it does not know ${what}.`;
        const hint = 'They are kept. "holdfast catalog reconcile" compares them with the catalog.';
        if (volume.ledger.size === 0) this.logger.error(`${lost} ${hint}`);
        else this.logger.warn(`The journal does not know ${what}. ${hint}`);
      }
    } catch (error) {
      this.logger.error(`A volume could not be looked over: ${messageOf(error)}`);
    }
  }

  /**
   * A journal that could not be written, or an index that is damaged or could not be, takes nothing more until it is
   * opened again, which checks it: so this process ends, and whoever keeps it starts it anew.
   */
  private requireJournals(): void {
    for (const { failure } of this.volumes) {
      if (!failure) continue;
      this.logger.fatal(`A volume cannot be used any more: ${failure.message}`);
      process.exit(1);
    }
  }

  private async listen(): Promise<void> {
    this.server = new DataServer({
      host: LOOPBACK,
      port: this.config.port,
      local: `holdfast-media-${uuidv7(this.clock.now())}`,
      keyOf: (session) => this.registry.keyOf(session),
      admit: (hello) => this.registry.admit(hello),
      onBug: (error) => this.logger.error(error instanceof Error ? error.stack : error),
    });
    const { withoutLocal, ...address } = await this.server.listen();
    this.listening = address;
    // A sandbox may forbid such sockets.
    if (withoutLocal)
      this.logger.warn(`Clients of this host go through the network: ${withoutLocal}`);
  }
}
