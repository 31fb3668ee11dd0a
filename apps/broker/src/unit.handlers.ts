import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import {
  brokerDrain,
  brokerGroupDelete,
  brokerGroupPut,
  brokerGroups,
} from '#contracts/broker/configuration.js';
import { brokerUnitDelete, brokerUnitPut, brokerUnits, type UnitView } from '#contracts/broker.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { Answers } from '#messaging/answers.js';
import { Allocator } from './allocator.js';
import type { UnitResource } from './domain/resources.js';
import { ConfigurationChanges } from './configuration-changes.js';

/** The order of choices is the broker's own affair. */
function unitView({ chosen: _chosen, ...unit }: UnitResource): UnitView {
  return unit;
}

@Controller()
export class UnitHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly allocator: Allocator,
    private readonly changes: ConfigurationChanges,
  ) {}

  @Answers(brokerUnits)
  async units(_request: RequestOf<typeof brokerUnits>): Promise<ResponseOf<typeof brokerUnits>> {
    const { units } = await this.allocator.table(this.database.manager);
    return { units: [...units.values()].map(unitView) };
  }

  @Answers(brokerUnitPut)
  async unitPut({
    unit,
  }: RequestOf<typeof brokerUnitPut>): Promise<ResponseOf<typeof brokerUnitPut>> {
    await this.changes.putUnit(unit);
    return { unit };
  }

  @Answers(brokerUnitDelete)
  async unitDelete({
    name,
  }: RequestOf<typeof brokerUnitDelete>): Promise<ResponseOf<typeof brokerUnitDelete>> {
    await this.changes.deleteUnit(name);
    return {};
  }

  @Answers(brokerGroups)
  async groups(_request: RequestOf<typeof brokerGroups>): Promise<ResponseOf<typeof brokerGroups>> {
    const { groups } = await this.allocator.table(this.database.manager);
    return { groups: [...groups.values()] };
  }

  @Answers(brokerGroupPut)
  async groupPut({
    group,
  }: RequestOf<typeof brokerGroupPut>): Promise<ResponseOf<typeof brokerGroupPut>> {
    await this.changes.putGroup(group);
    return { group };
  }

  @Answers(brokerGroupDelete)
  async groupDelete({
    name,
  }: RequestOf<typeof brokerGroupDelete>): Promise<ResponseOf<typeof brokerGroupDelete>> {
    await this.changes.deleteGroup(name);
    return {};
  }

  @Answers(brokerDrain)
  async drain({
    media,
    unit,
    drain,
  }: RequestOf<typeof brokerDrain>): Promise<ResponseOf<typeof brokerDrain>> {
    const left =
      media === undefined
        ? await this.changes.drainUnit(unit!, drain)
        : await this.changes.drainMedia(media, drain);
    return { drained: drain, ...left };
  }
}
