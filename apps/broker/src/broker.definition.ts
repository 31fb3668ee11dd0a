import type { ServiceDefinition } from '#service/service-definition.js';
import { BrokerModule } from './broker.module.js';
import { brokerConfig } from './config.js';
import { brokerSchema } from './persistence/broker-schema.js';
import { QueueWatch } from './queue/queue-watch.js';

export const brokerDefinition: ServiceDefinition<typeof brokerConfig> = {
  name: 'broker',
  description: 'Hands out storage: media servers, storage units, allocations under a lease',
  config: brokerConfig,
  module: (config) => BrokerModule.with(config),
  owns: brokerSchema,
  starts: [QueueWatch],
};
