import { hostname } from 'node:os';
import { Injectable, Logger } from '@nestjs/common';
import type { HostHeartbeat } from '#contracts/broker.js';
import type { HealthReport } from '#contracts/health.js';
import { sleep } from '#kernel/backoff.js';
import { messageOf } from '#kernel/errors.js';
import { Heartbeat } from '#messaging/heartbeat.js';
import { Requests } from '#messaging/requests.js';
import { Health } from '#service/health.js';
import type { Startable } from '#service/lifecycle.js';
import { VERSION } from '#service/version.js';
import { MediaConfig } from './config.js';
import type { MediaLibrary } from './library/media-library.js';
import { MediaNode } from './media-node.js';
import { LOOK_MS_MAX } from './volumes/shared-look.js';
import type { Volume } from './volumes/volume.js';

type VolumeBeat = Extract<HostHeartbeat, { role: 'media' }>['volumes'][number];

/**
 * Lets the broker know this media server, where its data port is and how much room it has. A volume that
 * cannot be used is named with the reason, and keeps none of the others from being used.
 */
@Injectable()
export class MediaPresence implements Startable {
  private readonly logger = new Logger('media');
  private readonly heartbeat: Heartbeat;
  /** Of each volume that is in trouble, by its folder: what was logged of it. */
  private readonly told = new Map<string, string>();
  /** Of each volume, the look that has not ended: one that hangs takes one thread, not one with each beat. */
  private readonly looks = new Map<Volume, Promise<VolumeBeat>>();

  constructor(
    requests: Requests,
    private readonly node: MediaNode,
    private readonly config: MediaConfig,
    private readonly health: Health,
  ) {
    this.heartbeat = new Heartbeat(requests, () => this.describe());
  }

  start(): Promise<void> {
    this.health.include(() => this.checks());
    return this.heartbeat.start();
  }

  stop(): void {
    this.heartbeat.stop();
  }

  private async describe(): Promise<HostHeartbeat> {
    const volumes = await this.look();
    for (const one of volumes) this.tell(one);
    return {
      role: 'media',
      id: this.config.mediaId,
      host: hostname(),
      version: VERSION,
      address: this.node.address,
      volumes,
    };
  }

  private look(): Promise<VolumeBeat[]> {
    return Promise.all(
      [...this.node.volumes].map(async (volume) => {
        const enough = new AbortController();
        const late = sleep(LOOK_MS_MAX, enough.signal).then(() =>
          this.troubled(volume, `it has not answered for ${LOOK_MS_MAX / 1_000} s`),
        );
        return Promise.race([this.lookOnce(volume), late]).finally(() => enough.abort());
      }),
    );
  }

  private lookOnce(volume: Volume): Promise<VolumeBeat> {
    const begun = this.looks.get(volume);
    if (begun) return begun;
    const look = this.lookAt(volume).finally(() => this.looks.delete(volume));
    this.looks.set(volume, look);
    return look;
  }

  private async lookAt(volume: Volume): Promise<VolumeBeat> {
    const library = this.libraryOf(volume);
    try {
      const room = await volume.room();
      // Its room is that of the volumes which are in it; of the disk under a library of files no more.
      return { ...this.nameOf(volume), ...(library ? await library.room() : room) };
    } catch (error) {
      return this.troubled(volume, messageOf(error));
    }
  }

  private troubled(volume: Volume, trouble: string): VolumeBeat {
    return { ...this.nameOf(volume), freeBytes: 0, totalBytes: 0, trouble };
  }

  private nameOf(volume: Volume): Pick<VolumeBeat, 'pool' | 'path' | 'class' | 'drives'> {
    const library = this.libraryOf(volume);
    const { pool, path } = volume;
    return { pool, path, ...(library && { class: 'sequential', drives: library.drives }) };
  }

  private libraryOf({ pool, path }: Volume): MediaLibrary | undefined {
    return this.node.libraries.find((one) => one.pool === pool && one.path === path);
  }

  /** Once, and once more when it is over. */
  private tell({ pool, path, trouble }: VolumeBeat): void {
    if (trouble === this.told.get(path)) return;
    const which = `The volume ${path} of pool "${pool}"`;
    if (trouble === undefined) {
      this.told.delete(path);
      this.logger.log(`${which} can be used again.`);
    } else {
      this.told.set(path, trouble);
      this.logger.error(`${which} cannot be used, the others can: ${trouble}`);
    }
  }

  private async checks(): Promise<HealthReport['checks']> {
    const troubled = (await this.look()).filter(({ trouble }) => trouble !== undefined);
    const left = [...this.node.volumes].filter(({ leftovers }) => leftovers.fragments > 0);
    return [
      ...troubled.map(({ pool, path, trouble }) => {
        return { name: `volume ${path} of pool ${pool}`, ok: false, text: trouble! };
      }),
      ...left.map(({ pool, path, leftovers: { fragments, bytes } }) => ({
        name: `unfinished on ${path} of pool ${pool}`,
        ok: true,
        text: `${fragments} fragments of earlier processes, ${bytes} bytes of data`,
      })),
    ];
  }
}
