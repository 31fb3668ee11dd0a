import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { brokerClient, brokerClients, brokerHeartbeat, brokerServers } from '#contracts/broker.js';
import { brokerForget } from '#contracts/broker/configuration.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { PAGE_BYTES_MAX } from '#contracts/names.js';
import { Clock } from '#kernel/clock.js';
import { Answers } from '#messaging/answers.js';
import { upTo } from '#service/page-bytes.js';
import { Allocator } from './allocator.js';
import { ConfigurationChanges } from './configuration-changes.js';
import { changesResources, hostState } from './domain/liveness.js';
import { NAMES_SHOWN_MAX, unknownClient } from './domain/refusal.js';
import { Hosts } from './persistence/hosts.js';

@Controller()
export class HostHandlers {
  private readonly hosts: Hosts;

  constructor(
    private readonly database: DataSource,
    private readonly allocator: Allocator,
    private readonly changes: ConfigurationChanges,
    private readonly clock: Clock,
  ) {
    this.hosts = new Hosts(database.manager);
  }

  @Answers(brokerHeartbeat)
  async heartbeat(
    beat: RequestOf<typeof brokerHeartbeat>,
  ): Promise<ResponseOf<typeof brokerHeartbeat>> {
    const now = this.clock.now();
    if (beat.role === 'agent') {
      await this.hosts.agentSeen(beat, now);
    } else if (changesResources(await this.hosts.mediaSeen(beat, now), beat, now)) {
      await this.allocator.evaluate();
    }
    return {};
  }

  @Answers(brokerForget)
  async forget({
    client,
    media,
  }: RequestOf<typeof brokerForget>): Promise<ResponseOf<typeof brokerForget>> {
    const now = this.clock.now();
    if (client !== undefined) await this.changes.forgetClient(client, now);
    if (media !== undefined) await this.changes.forgetMedia(media, now);
    return {};
  }

  @Answers(brokerClient)
  async client({
    client,
  }: RequestOf<typeof brokerClient>): Promise<ResponseOf<typeof brokerClient>> {
    const found = await this.hosts.client(client);
    if (found === null) {
      throw unknownClient(client, await this.hosts.someClients(NAMES_SHOWN_MAX));
    }
    return { client, ...this.aliveness(found) };
  }

  @Answers(brokerClients)
  async clients(page: RequestOf<typeof brokerClients>): Promise<ResponseOf<typeof brokerClients>> {
    const rows = await this.hosts.clients({ ...page, limit: page.limit + 1 });
    const wanted = rows.slice(0, page.limit);
    const shown = wanted.map((row) => ({ ...row, ...this.aliveness(row) }));
    const clients = upTo(PAGE_BYTES_MAX, shown);
    return { clients, next: clients.length < rows.length ? clients.at(-1)!.client : null };
  }

  @Answers(brokerServers)
  async servers(
    _request: RequestOf<typeof brokerServers>,
  ): Promise<ResponseOf<typeof brokerServers>> {
    const { rows } = await this.allocator.table(this.database.manager);
    return { servers: [...rows.values()].map((row) => ({ ...row, ...this.aliveness(row) })) };
  }

  private aliveness({ lastSeenAt }: { lastSeenAt: Date }) {
    return {
      state: hostState(lastSeenAt, this.clock.now()),
      lastSeenAt: lastSeenAt.toISOString(),
    };
  }
}
