import { Controller, Module, type DynamicModule, type Provider, type Type } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { healthEndpoint } from '#contracts/health.js';
import { Clock, SystemClock } from '#kernel/clock.js';
import { Answers } from '#messaging/answers.js';
import { Nats } from '#messaging/connection.js';
import { Publisher } from '#messaging/publisher.js';
import { Requests } from '#messaging/requests.js';
import type { ServiceDatabase } from './database.js';
import { Health, type HealthOptions } from './health.js';
import { Settings } from './settings/settings.js';
import { SettingsKeeper } from './settings/settings-keeper.js';
import { settingsController, settingsPutController } from './settings/settings.handlers.js';

export interface Platform {
  readonly nats: Nats;
  readonly database: ServiceDatabase | undefined;
  readonly health: HealthOptions;
  readonly settings: Settings;
  /** Where something can be set while the service runs. */
  readonly keeper: SettingsKeeper | undefined;
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
      controllers: controllers(platform),
      providers,
      exports: providers,
    };
  }
}

function controllers({ health, keeper }: Platform): Type[] {
  return [
    healthController(health.service),
    settingsController(health),
    ...(keeper ? [settingsPutController(health.service)] : []),
  ];
}

function messagingProviders({ nats, database, health, settings, keeper }: Platform): Provider[] {
  return [
    { provide: Clock, useClass: SystemClock },
    { provide: Nats, useValue: nats },
    { provide: Requests, useValue: new Requests(nats) },
    { provide: Publisher, useValue: new Publisher(nats) },
    { provide: Health, useValue: new Health(health, nats, database) },
    { provide: Settings, useValue: settings },
    ...(keeper ? [{ provide: SettingsKeeper, useValue: keeper }] : []),
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
