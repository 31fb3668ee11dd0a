import { Module, type DynamicModule } from '@nestjs/common';
import { AllocationHandlers } from './allocation.handlers.js';
import { Allocator } from './allocator.js';
import { ConfigurationChanges } from './configuration-changes.js';
import { BrokerConfig, type BrokerConfigValues } from './config.js';
import { HostHandlers } from './host.handlers.js';
import { LimitHandlers } from './limit.handlers.js';
import { QueueWatch } from './queue/queue-watch.js';
import { UnitHandlers } from './unit.handlers.js';

@Module({})
export class BrokerModule {
  static with(values: BrokerConfigValues): DynamicModule {
    return {
      module: BrokerModule,
      controllers: [HostHandlers, UnitHandlers, LimitHandlers, AllocationHandlers],
      providers: [
        { provide: BrokerConfig, useValue: new BrokerConfig(values) },
        Allocator,
        ConfigurationChanges,
        QueueWatch,
      ],
    };
  }
}
