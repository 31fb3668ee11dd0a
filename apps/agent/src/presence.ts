import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import { Heartbeat } from '#messaging/heartbeat.js';
import { Requests } from '#messaging/requests.js';
import type { Startable } from '#service/lifecycle.js';
import { VERSION } from '#service/version.js';
import { AgentConfig } from './config.js';

/** Lets the broker know this client. */
@Injectable()
export class AgentPresence implements Startable {
  private readonly heartbeat: Heartbeat;

  constructor(requests: Requests, config: AgentConfig) {
    this.heartbeat = new Heartbeat(requests, () => ({
      role: 'agent',
      id: config.client,
      host: hostname(),
      version: VERSION,
    }));
  }

  start(): Promise<void> {
    return this.heartbeat.start();
  }

  stop(): void {
    this.heartbeat.stop();
  }
}
