import type { ServiceDefinition } from '#service/service-definition.js';
import { AgentModule } from './agent.module.js';
import { agentConfig } from './config.js';
import { AgentPresence } from './presence.js';
import { AfterHooks } from './hooks/after-hooks.js';
import { TaskListener } from './task-listener.js';

export const agentDefinition: ServiceDefinition<typeof agentConfig> = {
  name: 'agent',
  description: 'Reads a client for backups and writes its restores',
  config: agentConfig,
  instance: (config) => config.HOLDFAST_CLIENT,
  module: (config) => AgentModule.with(config),
  starts: [AfterHooks, TaskListener, AgentPresence],
};
