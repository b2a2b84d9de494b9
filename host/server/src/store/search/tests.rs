//! Searches over a real catalogue.

use super::*;
use crate::testkit::World;

/// Three videos of `acme` and one of `umbrella`. Gives the ids of the three, oldest first.
async fn library(world: &World) -> Vec<String> {
    let mut ids = Vec::new();
    for tenant in ["acme", "umbrella"] {
        world.tenant(tenant).await;
    }
    for (tenant, name) in [("acme", "one"), ("acme", "two"), ("acme", "three"), ("umbrella", "four")] {
        let mut life = world.broadcast(tenant, name).await;
        ids.push(life.part(0).await.to_string());
    }
    let rows = [
        (&ids[0], "Final 100%", "a_b", "sport,live", 5, 1000, 10),
        (&ids[1], "final 100 percent", "axb", "news", 6, 2000, 20),
        (&ids[2], r"back\slash", "", "", 5, 2000, 30),
    ];
    for (id, title, description, tags, category, bytes, at) in rows {
        sqlx::query(
            "UPDATE videos SET title = ?2, description = ?3, tags = ?4, cate_id = ?5, bytes = ?6, created_at = ?7, \
             modified_at = 100 - ?7 WHERE id = ?1",
        )
        .bind(id)
        .bind(title)
        .bind(description)
        .bind(tags)
        .bind(category)
        .bind(bytes)
        .bind(at)
        .execute(&world.store.writer)
        .await
        .unwrap();
    }
    ids.truncate(3);
    ids
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[tokio::test]
async fn filters_find_what_they_say() {
    let world = World::new().await;
    let ids = library(&world).await;
    let between =
        |least, least_in, most, most_in| Filter::Between(Number::Bytes, Range { least, least_in, most, most_in });
    let contains = |text: &str| Filter::Contains(Text::Title, texts(&[text]));
    let injected = "x'; DROP TABLE videos; --";
    let table: Vec<(Filter, &[usize])> = vec![
        (Filter::All(Vec::new()), &[0, 1, 2]),
        (Filter::Any(Vec::new()), &[]),
        (Filter::Always(false), &[]),
        (Filter::TextIn(Text::Id, texts(&[&ids[1], "gone"])), &[1]),
        (Filter::TextIn(Text::Status, texts(&["stored", "ready"])), &[0, 1, 2]),
        (Filter::TextIn(Text::Source, texts(&["part"])), &[0, 1, 2]),
        (Filter::NumberIn(Number::Category, vec![5]), &[0, 2]),
        (contains("FINAL"), &[0, 1]),
        (contains("100%"), &[0]),
        (contains("k\\s"), &[2]),
        (Filter::Contains(Text::Description, texts(&["a_b"])), &[0]),
        (Filter::Contains(Text::Tags, texts(&["sport", "news"])), &[0, 1]),
        (contains(injected), &[]),
        (Filter::TextIn(Text::Title, texts(&[injected])), &[]),
        (between(1000, true, 2000, false), &[0]),
        (between(1000, false, 2000, true), &[1, 2]),
        (between(1000, false, 2000, false), &[]),
        (Filter::All(vec![contains("final"), Filter::Any(vec![contains("%"), contains("back")])]), &[0]),
        (Filter::Any(vec![contains("back"), Filter::All(vec![contains("final"), contains("percent")])]), &[1, 2]),
    ];
    let oldest_first = [Order { by: Number::CreatedAt, ascending: true }];
    for (filter, expected) in table {
        let found = world.store.search_videos("acme", &filter, &oldest_first, None, (0, 100)).await.unwrap();
        let expected: Vec<&str> = expected.iter().map(|index| ids[*index].as_str()).collect();
        let names: Vec<&str> = found.videos.iter().map(|video| video.id.as_str()).collect();
        assert_eq!((names, found.total), (expected.clone(), expected.len() as i64), "{filter:?}");
    }
}

#[tokio::test]
async fn the_largest_expression_that_is_read_can_be_run() {
    let world = World::new().await;
    library(&world).await;
    let mut filter = Filter::Contains(Text::Title, vec!["%".repeat(100); 100]);
    for _ in 0..16 {
        filter = Filter::Any(vec![filter, Filter::TextIn(Text::Id, vec!["x".to_owned(); 25])]);
    }
    let found = world.store.search_videos("acme", &filter, &[], None, (0, 10)).await.unwrap();
    assert_eq!(found.total, 0);
}

#[tokio::test]
async fn pages_go_on_from_a_place() {
    let world = World::new().await;
    let ids = library(&world).await;
    let all = Filter::All(Vec::new());
    let orders = [
        (Order { by: Number::CreatedAt, ascending: true }, [0, 1, 2]),
        (Order { by: Number::CreatedAt, ascending: false }, [2, 1, 0]),
        (Order { by: Number::ModifiedAt, ascending: true }, [2, 1, 0]),
        // Two are equally large: they are told apart by their rows, and none is shown twice or left out.
        (Order { by: Number::Bytes, ascending: true }, [0, 1, 2]),
        (Order { by: Number::Bytes, ascending: false }, [2, 1, 0]),
    ];
    for (order, expected) in orders {
        let mut after = None;
        for index in expected {
            let found = world.store.search_videos("acme", &all, &[order], after, (0, 1)).await.unwrap();
            assert_eq!((found.videos[0].id.as_str(), found.total), (ids[index].as_str(), 3), "{order:?}");
            after = found.last;
        }
        let end = world.store.search_videos("acme", &all, &[order], after, (0, 1)).await.unwrap();
        assert!(end.videos.is_empty() && end.last.is_none());
    }
    let skipped = world.store.search_videos("acme", &all, &[], None, (1, 1)).await.unwrap();
    assert_eq!(skipped.videos[0].id, ids[1]);
    let by_two = [Order { by: Number::Bytes, ascending: false }, Order { by: Number::CreatedAt, ascending: true }];
    let found = world.store.search_videos("acme", &all, &by_two, None, (0, 9)).await.unwrap();
    assert_eq!(found.videos.iter().map(|video| &video.id).collect::<Vec<_>>(), [&ids[1], &ids[2], &ids[0]]);
}

#[tokio::test]
async fn searches_keep_nobody_else_waiting() {
    let world = World::new().await;
    library(&world).await;
    let all = Filter::All(Vec::new());
    let slow = [world.store.searcher.acquire().await.unwrap(), world.store.searcher.acquire().await.unwrap()];
    let search = world.store.search_videos("acme", &all, &[], None, (0, 10));
    tokio::pin!(search);
    tokio::select! {
        biased;
        _ = &mut search => panic!("two searches are running"),
        row = world.store.tenant("acme") => assert!(row.unwrap().is_some()),
    }
    drop(slow);
    assert_eq!(search.await.unwrap().total, 3);
}
