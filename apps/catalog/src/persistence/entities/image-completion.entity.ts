import { Column, Entity, PrimaryColumn } from 'typeorm';

/** That `image.completed` was announced: once for each image. The state itself is counted. */
@Entity({ name: 'image_completion' })
export class ImageCompletionRow {
  @PrimaryColumn({ name: 'image_id', type: 'text' })
  imageId!: string;

  @Column({ name: 'announced_at', type: 'timestamptz', default: () => 'now()' })
  announcedAt!: Date;
}
