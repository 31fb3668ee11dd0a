import { Module, type DynamicModule } from '@nestjs/common';
import { Agendas } from './agendas.js';
import { ClusterCheck } from './cluster-check.js';
import { PolicyConfig, type PolicyConfigValues } from './config.js';
import { DueHandlers } from './handlers/due.handlers.js';
import { PolicyHandlers } from './handlers/policy.handlers.js';
import { RetentionHandlers } from './handlers/retention.handlers.js';
import { RunHandlers } from './handlers/run.handlers.js';
import { SchedulingHandlers } from './handlers/scheduling.handlers.js';
import { JobNews } from './job-news.js';
import { JobRecord } from './job-record.js';
import { PolicyChanges } from './policy-changes.js';
import { PolicyPlans } from './policy-plans.js';
import { Scheduler } from './scheduler.js';
import { SilentJobs } from './silent-jobs.js';
import { Submitter } from './submitter.js';
import { UserBackups } from './user-backups.js';

@Module({})
export class PolicyModule {
  static with(values: PolicyConfigValues): DynamicModule {
    return {
      module: PolicyModule,
      controllers: [
        PolicyHandlers,
        DueHandlers,
        RunHandlers,
        SchedulingHandlers,
        RetentionHandlers,
      ],
      providers: [
        { provide: PolicyConfig, useValue: new PolicyConfig(values) },
        PolicyPlans,
        Agendas,
        PolicyChanges,
        ClusterCheck,
        JobRecord,
        Submitter,
        UserBackups,
        JobNews,
        SilentJobs,
        Scheduler,
      ],
    };
  }
}
