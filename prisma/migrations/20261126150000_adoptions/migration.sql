-- Which visitor became which account: what they had begun before comes to the account afterwards.
CREATE TABLE "_adoptions" (
    "from" TEXT NOT NULL,
    "to" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "_adoptions_pkey" PRIMARY KEY ("from")
);

COMMENT ON TABLE "_adoptions" IS 'silent';

CREATE TRIGGER "refuse_in_mutation" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON "_adoptions"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_in_mutation"();
