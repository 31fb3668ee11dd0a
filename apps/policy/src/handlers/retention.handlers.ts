import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { policyRetentionLevelPut, policyRetentionLevels } from '#contracts/policy.js';
import { Answers } from '#messaging/answers.js';
import { retentionLevels } from '../domain/retention-levels.js';
import { RetentionLevels } from '../persistence/retention-levels.js';

@Controller()
export class RetentionHandlers {
  constructor(private readonly database: DataSource) {}

  @Answers(policyRetentionLevels)
  async levels(
    _request: RequestOf<typeof policyRetentionLevels>,
  ): Promise<ResponseOf<typeof policyRetentionLevels>> {
    const changed = await new RetentionLevels(this.database.manager).changed();
    return { levels: retentionLevels(changed) };
  }

  @Answers(policyRetentionLevelPut)
  async put(
    level: RequestOf<typeof policyRetentionLevelPut>,
  ): Promise<ResponseOf<typeof policyRetentionLevelPut>> {
    await new RetentionLevels(this.database.manager).put(level);
    return { level };
  }
}
