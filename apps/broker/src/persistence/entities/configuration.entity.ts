import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { StoragePool, UnitGroup } from '#contracts/broker/configuration.js';

@Entity('unit_group')
export class UnitGroupEntity {
  @PrimaryColumn('text')
  name!: string;

  @Column('text', { array: true })
  units!: string[];

  @Column('text')
  selection!: UnitGroup['selection'];
}

@Entity('storage_pool')
export class StoragePoolEntity {
  @PrimaryColumn('text')
  name!: string;

  @Column('text')
  class!: StoragePool['class'];

  @Column('text')
  description!: string;
}

@Entity('client_limit')
export class ClientLimitEntity {
  @PrimaryColumn('text')
  client!: string;

  @Column('integer', { name: 'jobs_max' })
  jobsMax!: number;
}
