-- What the sweep has deleted of a topic that is not compacted lies below its partition's start.
ALTER TABLE heads ADD COLUMN start_offset bigint NOT NULL DEFAULT 0;
UPDATE heads SET start_offset = coalesce(
    (SELECT min("offset") FROM log WHERE log.topic = heads.topic AND log.partition = heads.partition), next_offset)
FROM topics WHERE topics.topic = heads.topic AND NOT compacted;
