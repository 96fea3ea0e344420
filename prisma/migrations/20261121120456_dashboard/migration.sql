-- AlterTable
ALTER TABLE "_users" ADD COLUMN     "isAdmin" BOOLEAN NOT NULL DEFAULT false;

-- CreateTable
CREATE TABLE "_storage_totals" (
    "_id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "files" BIGINT NOT NULL,
    "bytes" BIGINT NOT NULL,

    CONSTRAINT "_storage_totals_pkey" PRIMARY KEY ("_id")
);

-- CreateIndex
CREATE INDEX "_storage_size__id_idx" ON "_storage"("size", "_id");

-- The same orders within one kind of type: `image` of `image/png`.
CREATE INDEX "_storage_kind_creationTime__id_idx" ON "_storage"(split_part(lower("contentType"), '/', 1), "_creationTime", "_id");
CREATE INDEX "_storage_kind_size__id_idx" ON "_storage"(split_part(lower("contentType"), '/', 1), "size", "_id");

-- Every statement that adds or removes files adds a row of what it did; `foldTotals` makes one of them.
CREATE FUNCTION "total_files"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "_storage_totals" ("files", "bytes")
    SELECT sign * count(*), sign * sum("size")
    FROM touched, (SELECT CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END AS sign) AS direction
    GROUP BY sign;
  RETURN NULL;
END $$;

CREATE TRIGGER "total_inserted" AFTER INSERT ON "_storage"
  REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION "total_files"();
CREATE TRIGGER "total_deleted" AFTER DELETE ON "_storage"
  REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION "total_files"();

CREATE FUNCTION "forget_totals"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM "_storage_totals";
  RETURN NULL;
END $$;

CREATE TRIGGER "total_truncated" AFTER TRUNCATE ON "_storage" FOR EACH STATEMENT EXECUTE FUNCTION "forget_totals"();

-- Only now, when no upload can come between.
INSERT INTO "_storage_totals" ("files", "bytes") SELECT count(*), coalesce(sum("size"), 0) FROM "_storage";
