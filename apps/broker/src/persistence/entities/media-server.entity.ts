import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { MediaServer } from '#contracts/broker.js';

@Entity('media_server')
export class MediaServerEntity {
  @PrimaryColumn('text', { name: 'media_id' })
  mediaId!: string;

  @Column('text')
  host!: string;

  @Column('text')
  version!: string;

  @Column('jsonb')
  address!: MediaServer['address'];

  /** As the last heartbeat had them. */
  @Column('jsonb')
  volumes!: MediaServer['volumes'];

  @Column('timestamptz', { name: 'last_seen_at' })
  lastSeenAt!: Date;

  /** Nothing new is written there. No heartbeat touches it, nor the next one. */
  @Column('boolean', { default: false })
  drained!: boolean;

  /** What was announced last; whether the server is up follows from `lastSeenAt`. */
  @Column('text', { default: 'down' })
  announced!: 'up' | 'down';
}
