import { Module, type DynamicModule } from '@nestjs/common';
import { AllocationHandlers } from './allocation.handlers.js';
import { Allocator } from './allocator.js';
import { ConfigurationChanges } from './configuration-changes.js';
import { BrokerSettings } from './config.js';
import { HostHandlers } from './host.handlers.js';
import { LimitHandlers } from './limit.handlers.js';
import { QueueWatch } from './queue/queue-watch.js';
import { UnitHandlers } from './unit.handlers.js';

@Module({})
export class BrokerModule {
  static of(settings: BrokerSettings): DynamicModule {
    return {
      module: BrokerModule,
      controllers: [HostHandlers, UnitHandlers, LimitHandlers, AllocationHandlers],
      providers: [
        { provide: BrokerSettings, useValue: settings },
        Allocator,
        ConfigurationChanges,
        QueueWatch,
      ],
    };
  }
}
