import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import {
  brokerLimitPut,
  brokerLimits,
  brokerPoolDelete,
  brokerPoolPut,
  brokerPools,
} from '#contracts/broker/configuration.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { Answers } from '#messaging/answers.js';
import { Allocator } from './allocator.js';
import { clientLimits, ConfigurationChanges } from './configuration-changes.js';
import { poolViews } from './domain/pool-views.js';
import { Configuration } from './persistence/configuration.js';

@Controller()
export class LimitHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly allocator: Allocator,
    private readonly changes: ConfigurationChanges,
  ) {}

  @Answers(brokerPools)
  async pools(_request: RequestOf<typeof brokerPools>): Promise<ResponseOf<typeof brokerPools>> {
    const { manager } = this.database;
    const declared = await new Configuration(manager).pools();
    const { units, rows } = await this.allocator.table(manager);
    const volumes = [...rows.values()].flatMap((server) => server.volumes);
    return { pools: poolViews(declared, volumes, [...units.values()]) };
  }

  @Answers(brokerPoolPut)
  async poolPut({
    pool,
  }: RequestOf<typeof brokerPoolPut>): Promise<ResponseOf<typeof brokerPoolPut>> {
    await this.changes.putPool(pool);
    return { pool };
  }

  @Answers(brokerPoolDelete)
  async poolDelete({
    name,
  }: RequestOf<typeof brokerPoolDelete>): Promise<ResponseOf<typeof brokerPoolDelete>> {
    await this.changes.deletePool(name);
    return {};
  }

  @Answers(brokerLimits)
  async limits(_request: RequestOf<typeof brokerLimits>): Promise<ResponseOf<typeof brokerLimits>> {
    const table = await this.allocator.table(this.database.manager);
    return { defaultJobsMax: table.clientJobsMax, limits: clientLimits(table) };
  }

  @Answers(brokerLimitPut)
  async limitPut(
    request: RequestOf<typeof brokerLimitPut>,
  ): Promise<ResponseOf<typeof brokerLimitPut>> {
    return { client: request.client, jobsMax: await this.changes.putLimit(request) };
  }
}
