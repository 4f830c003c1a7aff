use super::*;
use crate::store::sql::sql;
use crate::store::tests::{at, fixture};

#[tokio::test]
async fn more_rows_than_go_with_one_statement_go_all_and_no_others() {
    let fixture = fixture().await;
    let writer = &fixture.store.writer;
    let many = AT_ONCE * 2 + 1;
    sql("INSERT INTO spent (purpose, id, expires_at)
         WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < $1)
         SELECT 'attempt', CAST(number AS TEXT), $2 FROM numbers")
    .bind(many)
    .bind(at(1))
    .execute(writer)
    .await
    .unwrap();
    fixture
        .store
        .spend("attempt", "later", at(2).as_second(), at(0))
        .await
        .unwrap();
    assert_eq!(fixture.store.purge_spent(at(0)).await.unwrap(), 0, "control");
    assert_eq!(fixture.store.purge_spent(at(1)).await.unwrap(), many.unsigned_abs());
    let left: i64 = sql("SELECT COUNT(*) FROM spent").fetch_one(writer).await.unwrap();
    assert_eq!(left, 1);
}
