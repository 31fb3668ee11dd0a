import { Controller, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { healthEndpoint } from '#contracts/health.js';
import { Clock, SystemClock } from '#kernel/clock.js';
import { Answers } from '#messaging/answers.js';
import { Nats } from '#messaging/connection.js';
import { Publisher } from '#messaging/publisher.js';
import { Requests } from '#messaging/requests.js';
import { OutboxRelay } from '#outbox/outbox-relay.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { Health, type HealthOptions } from './health.js';

export interface Platform {
  readonly nats: Nats;
  readonly database: DataSource | undefined;
  readonly health: HealthOptions;
}

/**
 * What every service gets by injection: `Clock`, `Nats`, `Requests`, `Publisher`, and with a
 * database `DataSource`, `UnitOfWork` and `OutboxRelay`.
 */
@Module({})
export class PlatformModule {
  static of(platform: Platform): DynamicModule {
    const providers = [...messagingProviders(platform), ...databaseProviders(platform)];
    return {
      module: PlatformModule,
      global: true,
      controllers: [healthController(platform.health.service)],
      providers,
      exports: providers,
    };
  }
}

function messagingProviders({ nats, database, health }: Platform): Provider[] {
  return [
    { provide: Clock, useClass: SystemClock },
    { provide: Nats, useValue: nats },
    { provide: Requests, useValue: new Requests(nats) },
    { provide: Publisher, useValue: new Publisher(nats) },
    { provide: Health, useValue: new Health(health, nats, database) },
  ];
}

function databaseProviders({ database, health }: Platform): Provider[] {
  if (!database) return [];
  return [
    { provide: DataSource, useValue: database },
    {
      provide: UnitOfWork,
      useFactory: (clock: Clock) => new UnitOfWork(database, clock, health.service),
      inject: [Clock],
    },
    {
      provide: OutboxRelay,
      useFactory: (publisher: Publisher, unit: UnitOfWork) =>
        new OutboxRelay(database, publisher, unit),
      inject: [Publisher, UnitOfWork],
    },
  ];
}

function healthController(service: string) {
  const endpoint = healthEndpoint(service);

  @Controller()
  class HealthHandlers {
    constructor(private readonly health: Health) {}

    @Answers(endpoint)
    answer(_request: RequestOf<typeof endpoint>): Promise<ResponseOf<typeof endpoint>> {
      return this.health.report();
    }
  }
  return HealthHandlers;
}
