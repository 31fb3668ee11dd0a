import { statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import type { HostHeartbeat } from '#contracts/broker.js';
import { Heartbeat } from '#messaging/heartbeat.js';
import { Requests } from '#messaging/requests.js';
import type { Startable } from '#service/lifecycle.js';
import { VERSION } from '#service/version.js';
import { MediaConfig } from './config.js';
import type { MediaLibrary } from './library/media-library.js';
import { MediaNode } from './media-node.js';

/** Lets the broker know this media server, where its data port is and how much room it has. */
@Injectable()
export class MediaPresence implements Startable {
  private readonly heartbeat: Heartbeat;

  constructor(
    requests: Requests,
    private readonly node: MediaNode,
    private readonly config: MediaConfig,
  ) {
    this.heartbeat = new Heartbeat(requests, () => this.describe());
  }

  start(): Promise<void> {
    return this.heartbeat.start();
  }

  stop(): void {
    this.heartbeat.stop();
  }

  private async describe(): Promise<HostHeartbeat> {
    return {
      role: 'media',
      id: this.config.mediaId,
      host: hostname(),
      version: VERSION,
      address: this.node.address,
      volumes: await Promise.all([
        ...this.config.volumes.map(describeVolume),
        ...this.node.libraries.map(describeLibrary),
      ]),
    };
  }
}

/** Its room is that of the volumes which are in it; of the disk under a library of files no more. */
async function describeLibrary(library: MediaLibrary) {
  const { pool, path, drives } = library;
  const { freeBytes, totalBytes } = await library.room();
  return { pool, path, freeBytes, totalBytes, class: 'sequential' as const, drives };
}

async function describeVolume({ pool, path }: { pool: string; path: string }) {
  const { bavail, blocks, bsize } = await statfs(path);
  return { pool, path, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}
