import { Module, type DynamicModule } from '@nestjs/common';
import { AllocationHandlers } from './allocation.handlers.js';
import { Allocator } from './allocator.js';
import { BrokerSettings } from './config.js';
import { HostHandlers } from './host.handlers.js';
import { QueueWatch } from './queue-watch.js';
import { UnitHandlers } from './unit.handlers.js';

@Module({})
export class BrokerModule {
  static of(settings: BrokerSettings): DynamicModule {
    return {
      module: BrokerModule,
      controllers: [HostHandlers, UnitHandlers, AllocationHandlers],
      providers: [{ provide: BrokerSettings, useValue: settings }, Allocator, QueueWatch],
    };
  }
}
