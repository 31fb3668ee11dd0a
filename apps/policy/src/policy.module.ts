import { Module, type DynamicModule } from '@nestjs/common';
import { Agendas } from './agendas.js';
import { PolicySettings } from './config.js';
import { JobEndings } from './job-endings.js';
import { JobRecord } from './job-record.js';
import { PolicyHandlers } from './policy.handlers.js';
import { ScheduleHandlers } from './schedule.handlers.js';
import { Scheduler } from './scheduler.js';
import { SilentJobs } from './silent-jobs.js';
import { Submitter } from './submitter.js';

@Module({})
export class PolicyModule {
  static of(settings: PolicySettings): DynamicModule {
    return {
      module: PolicyModule,
      controllers: [PolicyHandlers, ScheduleHandlers],
      providers: [
        { provide: PolicySettings, useValue: settings },
        Agendas,
        JobRecord,
        Submitter,
        JobEndings,
        SilentJobs,
        Scheduler,
      ],
    };
  }
}
