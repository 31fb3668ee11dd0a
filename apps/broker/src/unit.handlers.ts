import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { brokerUnitPut, brokerUnits } from '#contracts/broker.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { Answers } from '#messaging/answers.js';
import { Allocator } from './allocator.js';
import { ResourceTable } from './persistence/resource-table.js';

@Controller()
export class UnitHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly allocator: Allocator,
  ) {}

  @Answers(brokerUnits)
  async units(_request: RequestOf<typeof brokerUnits>): Promise<ResponseOf<typeof brokerUnits>> {
    return { units: [...(await ResourceTable.read(this.database.manager)).units.values()] };
  }

  @Answers(brokerUnitPut)
  async unitPut({
    unit,
  }: RequestOf<typeof brokerUnitPut>): Promise<ResponseOf<typeof brokerUnitPut>> {
    await this.allocator.putUnit(unit);
    return { unit };
  }
}
