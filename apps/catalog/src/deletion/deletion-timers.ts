import { Injectable, Logger } from '@nestjs/common';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import type { Startable } from '#service/lifecycle.js';
import { CatalogConfig } from '../config.js';
import { Pinning } from '../copies/pinning.js';
import { Expiry } from './expiry.js';
import { Grants } from './grants.js';
import { Spares } from './spares.js';

/** Expires and grants by itself. Several catalogs may: an image is locked while one looks at it. */
@Injectable()
export class DeletionTimers implements Startable {
  private readonly logger = new Logger('deletion');
  private readonly loops: readonly Repeating[];

  constructor(
    expiry: Expiry,
    grants: Grants,
    spares: Spares,
    pinning: Pinning,
    config: CatalogConfig,
  ) {
    const loop = (everyMs: number, work: (signal: AbortSignal) => Promise<void>) =>
      new Repeating({ everyMs, work, onError: (error) => this.logger.warn(messageOf(error)) });
    this.loops = [
      loop(config.expireEveryMs, (signal) => expiry.expireAll(signal)),
      loop(config.expireEveryMs, (signal) => pinning.sweep(signal)),
      loop(config.expireEveryMs, (signal) => grants.roundOnHold(signal)),
      loop(config.grantEveryMs, (signal) => spares.round(signal)),
      loop(config.grantEveryMs, (signal) => grants.round(signal)),
    ];
  }

  start(): void {
    for (const loop of this.loops) loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }
}
