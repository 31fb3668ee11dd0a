import { Module, type DynamicModule } from '@nestjs/common';
import { BackupTask } from './backup-task.js';
import { AgentConfig, type AgentConfigValues } from './config.js';
import { AgentPresence } from './presence.js';
import { AfterHooks } from './hooks/after-hooks.js';
import { BackupHooks } from './hooks/backup-hooks.js';
import { HookRunner } from './hooks/hook-runner.js';
import { RestoreTask } from './restore-task.js';
import { TaskListener } from './task-listener.js';
import { TaskRunner } from './task-runner.js';

@Module({
  providers: [
    ...[AgentPresence, BackupTask, RestoreTask, TaskListener, TaskRunner],
    ...[AfterHooks, BackupHooks, HookRunner],
  ],
})
export class AgentModule {
  static with(values: AgentConfigValues): DynamicModule {
    return {
      module: AgentModule,
      providers: [{ provide: AgentConfig, useValue: new AgentConfig(values) }],
    };
  }
}
