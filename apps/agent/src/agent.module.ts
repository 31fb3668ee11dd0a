import { Module, type DynamicModule } from '@nestjs/common';
import { BackupTask } from './backup-task.js';
import { AgentConfig, type AgentConfigValues } from './config.js';
import { AgentPresence } from './presence.js';
import { RestoreTask } from './restore-task.js';
import { TaskListener } from './task-listener.js';
import { TaskRunner } from './task-runner.js';

@Module({ providers: [AgentPresence, BackupTask, RestoreTask, TaskListener, TaskRunner] })
export class AgentModule {
  static with(values: AgentConfigValues): DynamicModule {
    return {
      module: AgentModule,
      providers: [{ provide: AgentConfig, useValue: AgentConfig.from(values) }],
    };
  }
}
