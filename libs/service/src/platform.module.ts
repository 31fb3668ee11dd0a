import { Controller, Module, type DynamicModule, type Provider } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { healthEndpoint } from '#contracts/health.js';
import { Clock, SystemClock } from '#kernel/clock.js';
import { Answers } from '#messaging/answers.js';
import { Nats } from '#messaging/connection.js';
import { Publisher } from '#messaging/publisher.js';
import { Requests } from '#messaging/requests.js';
import type { ServiceDatabase } from './database.js';
import { Health, type HealthOptions } from './health.js';

export interface Platform {
  readonly nats: Nats;
  readonly database: ServiceDatabase | undefined;
  readonly health: HealthOptions;
}

/**
 * What every service gets by injection: `Clock`, `Nats`, `Requests`, `Publisher`, and with a
 * database `DataSource`, `UnitOfWork` and `OutboxRelay`.
 */
@Module({})
export class PlatformModule {
  static of(platform: Platform): DynamicModule {
    const providers = [
      ...messagingProviders(platform),
      ...(platform.database?.providers(platform.health.service) ?? []),
    ];
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
